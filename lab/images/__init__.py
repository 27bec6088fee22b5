"""The lab's images, made from Debian's packages and from PyPI and npm, without an image registry.

`build` makes what is missing in the cache, `load` brings it into a daemon and returns the tags.
"""

from lab.images.recipes import CUTOVER, IMAGES, Image
from lab.images.store import build, load, missing

__all__ = ["CUTOVER", "IMAGES", "Image", "build", "load", "missing"]
