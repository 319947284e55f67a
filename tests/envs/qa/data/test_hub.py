"""Data sets by name: the hub's real client against a small hub of our own on this machine."""

import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading

import pytest

from saccade.envs.errors import ConfigError
from saccade.envs.qa.data.dataset import Dataset
from saccade.envs.qa.data.hub import download

from .conftest import hub_png, write_parquet

COMMIT = "0123456789abcdef" * 2 + "01234567"


def blob(data):
    """The name that git gives to a file's bytes."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@pytest.fixture
def hub(tmp_path):
    """A server of the data set me/mine, with a file for each split; its address and what it was asked for."""
    files = {}
    for split in ("train", "test"):
        path = tmp_path / f"{split}.parquet"
        write_parquet(path, [{"question": f"Which {split}?", "answer": "7", "image": hub_png(1)}])
        files[f"data/{split}-00000-of-00001.parquet"] = path.read_bytes()
    files["README.md"] = b"# Mine"
    asked = []

    class Hub(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.answer(body=False)

        def do_GET(self):
            self.answer(body=True)

        def answer(self, body):
            path = self.path.split("?")[0]
            asked.append(path)
            name = path.removeprefix(f"/datasets/me/mine/resolve/{COMMIT}/")
            if path.startswith("/api/datasets/me/mine/tree/"):
                tree = [
                    {"type": "file", "path": name, "size": len(data), "oid": blob(data)} for name, data in files.items()
                ]
                data, kind = json.dumps(tree).encode(), "application/json"
            elif path.startswith("/api/datasets/me/mine"):
                data, kind = json.dumps({"id": "me/mine", "sha": COMMIT}).encode(), "application/json"
            elif name in files:
                data, kind = files[name], "application/octet-stream"
            else:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{blob(data)}"')
            self.end_headers()
            if body:
                self.wfile.write(data)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_data_set_is_fetched_by_name_and_only_the_files_that_match(hub, tmp_path):
    address, asked = hub
    code = (
        "from saccade.envs.qa.data.dataset import Dataset\n"
        "dataset = Dataset('hf://me/mine/data/test-*')\n"
        "print(len(dataset), dataset.load(0).item.question, dataset.load(0).observation.images[0].size)"
    )
    settings = {
        "HF_ENDPOINT": address,
        "HF_HUB_OFFLINE": "0",
        "HF_HOME": str(tmp_path / "cache"),
        "NO_PROXY": "127.0.0.1",
    }
    settings |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run([sys.executable, "-c", code], env=os.environ | settings, capture_output=True, text=True)
    assert run.stdout.strip() == "1 Which test? (24, 16)", run.stderr
    fetched = {path.rsplit("/", 1)[1] for path in asked if "/resolve/" in path}
    assert fetched == {"test-00000-of-00001.parquet"}


def test_a_hub_that_cannot_be_reached_says_what_to_do():
    with pytest.raises(ConfigError, match=r"hf://nobody/nothing cannot be fetched .* give the path of a parquet"):
        download("hf://nobody/nothing")  # HF_HUB_OFFLINE is set for all tests
    with pytest.raises(ConfigError, match="is written hf://owner/name"):
        download("hf://nothing")


def test_what_was_fetched_before_needs_no_hub(tmp_path, monkeypatch):
    """The cache in the layout that the hub's client writes."""
    constants = pytest.importorskip("huggingface_hub.constants")
    folder = tmp_path / "datasets--me--mine"
    (folder / "snapshots" / COMMIT / "data").mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(COMMIT)
    for name in ("train-0", "test-0"):
        write_parquet(folder / "snapshots" / COMMIT / "data" / f"{name}.parquet", [{"question": name, "answer": "1"}])
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    assert [file.name for file in download("hf://me/mine")] == ["test-0.parquet", "train-0.parquet"]
    dataset = Dataset("hf://me/mine/data/test-*")
    assert len(dataset) == 1 and dataset.load(0).item.question == "test-0"
