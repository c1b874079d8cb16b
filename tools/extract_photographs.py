"""Takes the photographs out of GCompris' resource files: extract_photographs.py RCC_FOLDER OUT_FOLDER"""

import io
import pathlib
import struct
import sys

from PIL import Image

# Resource file, and folders in it that hold photographs (none for all).
SOURCES = {
    "erase": [],
    "explore_world_animals": [],
    "explore_farm_animals": [],
    "explore_monuments": [],
    "categorization": ["fishes", "monuments", "renewable", "tools"],
}
# Pixels of the shorter side.
SIZE = 192


def files(data):
    """Path and bytes of each file that is stored as it is in a Qt resource file (format 2 and later)."""
    magic, version, tree, contents, names = struct.unpack(">4s4I", data[:20])
    if magic != b"qres" or version < 2:
        raise ValueError("no Qt resource file of a known format")

    def walk(index, path):
        name, flags = struct.unpack_from(">IH", data, tree + index * 22)
        if index > 0:
            length = struct.unpack_from(">H", data, names + name)[0]
            path = path + [data[names + name + 6:names + name + 6 + 2 * length].decode("utf-16-be")]
        first, second = struct.unpack_from(">II", data, tree + index * 22 + 6)
        if flags & 2:
            for child in range(second, second + first):
                yield from walk(child, path)
        elif flags & 5 == 0:
            start = contents + second
            length = struct.unpack_from(">I", data, start)[0]
            yield path, data[start + 4:start + 4 + length]

    yield from walk(0, [])


def reduced(picture):
    """On white, with a shorter side of SIZE at most."""
    picture = picture.convert("RGBA")
    ground = Image.new("RGBA", picture.size, (255, 255, 255, 255))
    ground.alpha_composite(picture)
    factor = min(1, SIZE / min(picture.size))
    return ground.convert("RGB").resize([max(1, round(side * factor)) for side in picture.size], Image.BOX)


def main(folder, out):
    out = pathlib.Path(out)
    out.mkdir()
    for source, wanted in SOURCES.items():
        data = (pathlib.Path(folder) / f"{source}.rcc").read_bytes()
        for path, content in files(data):
            if content[8:12] != b"WEBP" or (wanted and not set(wanted) & set(path)):
                continue
            picture = Image.open(io.BytesIO(content))
            if min(picture.size) >= 96:
                reduced(picture).save(out / f"{source}-{pathlib.Path(path[-1]).stem}.png")


main(*sys.argv[1:])
