"""Where the built dashboard lies. Apart from its code, so that the program needs no SDK."""

from pathlib import Path

UID = "sentinel-gateway"
FILE = Path(__file__).with_name(f"{UID}.json")
