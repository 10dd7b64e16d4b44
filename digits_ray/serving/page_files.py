"""The files of the page, as they are served."""

from importlib.resources import files

_SCRIPT = "text/javascript; charset=utf-8"

PAGE_FILES = {  # path of the URL: file, media type
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", _SCRIPT),
    "/server.js": ("server.js", _SCRIPT),
    "/sheet.js": ("sheet.js", _SCRIPT),
    "/view.js": ("view.js", _SCRIPT),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}


def page_file(name: str) -> bytes:
    """Returns the content of a file of the page."""
    return (files("digits_ray.serving") / "page" / name).read_bytes()
