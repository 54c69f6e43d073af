"""An audit -> its page."""
