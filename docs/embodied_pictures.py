"""Draws one sheet of all simulated tasks: each at every level, as the agent first sees it.

python docs/embodied_pictures.py docs/images/embodied.png
"""

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from saccade.envs import ENVIRONMENTS
from saccade.envs.embodied.simulated import LEVELS
from saccade.envs.task import make

SIZE, GAP, LINE = 144, 8, 16


def main(picture: str, seed: int = 3) -> None:
    """One row a task, one column a level; the goal under each picture, as far as it fits."""
    ids = [id for id, entry in ENVIRONMENTS.items() if ".embodied." in entry]
    cell, height = SIZE + GAP, SIZE + 4 * LINE
    per_row = 2
    rows = -(-len(ids) // per_row)
    sheet = Image.new("RGB", (per_row * (len(LEVELS) * cell + GAP) + GAP, rows * height + GAP), (255, 255, 255))
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=11)
    for index, id in enumerate(ids):
        left, top = GAP + (index // rows) * (len(LEVELS) * cell + GAP), GAP + (index % rows) * height
        pen.text((left, top), id.removeprefix("saccade/"), fill=(0, 0, 0), font=ImageFont.load_default(size=13))
        for level in LEVELS:
            env = make(id, level=level, size=SIZE)
            observation, _ = env.reset(seed=seed)
            env.close()
            x, y = left + (level - 1) * cell, top + LINE
            sheet.paste(Image.fromarray(observation["images"][0]), (x, y))
            pen.rectangle((x - 1, y - 1, x + SIZE, y + SIZE), outline=(200, 200, 200))
            for number, line in enumerate(_lines(observation["text"], pen, font)[:3]):
                pen.text((x, y + SIZE + 2 + 13 * number), line, fill=(60, 60, 60), font=font)
    Path(picture).parent.mkdir(parents=True, exist_ok=True)
    sheet.convert("P", palette=Image.Palette.ADAPTIVE, colors=128).save(picture, optimize=True)


def _lines(text: str, pen: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if pen.textlength(longer, font=font) > SIZE:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


if __name__ == "__main__":
    main(*sys.argv[1:])
