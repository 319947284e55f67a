import pytest

from saccade.envs.errors import ConfigError
from saccade.envs.gui.site import ASSETS, ORIGIN, Hosts, Site


@pytest.fixture
def site(tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "page.html").write_text("<p>page</p>")
    (root / "sub" / "a b.css").write_text("p {}")
    (root / "out.txt").symlink_to(tmp_path / "secret.txt")
    return Site(root)


def test_files_are_served_with_their_media_type(site):
    assert site.get(f"{ORIGIN}/page.html?query=1#part") == (b"<p>page</p>", "text/html")
    assert site.get(f"{ORIGIN}/sub/a%20b.css") == (b"p {}", "text/css")


@pytest.mark.parametrize(
    "url",
    [
        f"{ORIGIN}/missing.html",
        f"{ORIGIN}/",
        f"{ORIGIN}/sub",
        f"{ORIGIN}/../secret.txt",
        f"{ORIGIN}/%2e%2e/secret.txt",
        f"{ORIGIN}/sub/..%2f..%2fsecret.txt",
        f"{ORIGIN}//etc/hostname",
        f"{ORIGIN}/out.txt",
        f"{ORIGIN}/page.html%00",
        f"{ORIGIN}:8080/page.html",
        "http://user@saccade.local/page.html",
        "https://saccade.local/page.html",
        "http://saccade.local.example.com/page.html",
        "http://example.com/page.html",
        "file:///etc/hostname",
        f"{ORIGIN}/{'x' * 300}.html",
        f"{ORIGIN}/\ud800.html",
        "http://[",
        "",
    ],
)
def test_everything_else_is_refused(site, url):
    assert site.get(url) is None


def test_the_project_ships_its_pages():
    assert all(Site(ASSETS).get(f"{ORIGIN}/{name}") for name in ("scene.html", "form.html", "miniwob.js"))


def test_fonts_are_served_as_fonts_and_stay_small():
    faces = [Site(ASSETS).get(f"{ORIGIN}/{name}") for name in ("saccade-sans.woff2", "saccade-sans-bold.woff2")]
    assert all(kind == "font/woff2" and data[:4] == b"wOF2" for data, kind in faces)
    assert sum(len(data) for data, _ in faces) < 40_000
    assert b"Bitstream" in Site(ASSETS).get(f"{ORIGIN}/LICENSE-saccade-sans.txt")[0]


@pytest.mark.parametrize("origin", ["http://127.0.0.1:77700", "http://[", "http://:80", "file:///", "127.0.0.1:80"])
def test_an_origin_that_cannot_be_read_is_no_server(origin):
    with pytest.raises(ConfigError, match="an origin is written like"):
        Hosts(origin)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "data:text/html,x", "http://[", "http://127.0.0.1:77700", ""])
def test_what_is_no_address_is_on_no_server(url):
    assert not Hosts("http://127.0.0.1:7770").allows(url)
