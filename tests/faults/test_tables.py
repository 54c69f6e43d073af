"""Damaged sets: tables, COCO, packed files and masks. A set, or a sentence; what is wrong with an image is told with it."""

import json
from pathlib import Path

import pytest

from campaign import Campaign
from commands import pictures
from mutations import mutated
from sonoseg.data.formats.coco import to_coco
from sonoseg.data.formats.packed import pack_to
from sonoseg.data.sets.sources import open_set
from sonoseg.errors import UserError
