"""Takes the picture of README: an instructive episode of a run, in the replay viewer.

python docs/picture.py runs/demo/gui/run docs/images/replay.png
"""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from saccade.envs.gui.browser import find_chromium
from saccade.envs.replay import ReplayStore, write_html


def main(run: str, picture: str) -> None:
    """Show the last group in which some episodes succeeded and some did not."""
    store = ReplayStore.open(Path(run) / "replay")
    records = list(store.records(phase="train", last=512))
    groups: dict[str, list[bool]] = {}
    for record in records:
        groups.setdefault(record.group, []).append(record.success)
    mixed = [group for group, won in groups.items() if 0.3 < sum(won) / len(won) < 0.8]
    chosen = next(record for record in records if record.group == mixed[-1] and record.success)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page_file = write_html(store, Path(folder) / "replay.html", records, limit=None)
        browser = playwright.chromium.launch(executable_path=find_chromium(playwright.chromium.executable_path))
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.goto(f"{page_file.as_uri()}#episode={chosen.id}&step=0")
        page.wait_for_timeout(300)
        Path(picture).parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=picture)
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
