"""A page and a service: a scan dropped on it is outlined, corrected, judged and kept; nothing leaves the machine."""
