"""Pages as a browser shows them, for the tests of what they do."""

import shutil
import subprocess

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def dom_of(page, folder, *options, timeout=300):
    """The HTML of a page once its scripts have run, no host name being resolved.

    Skips the test where there is no browser.

    Parameters
    ----------
    page : Path
    folder : Path, where the browser keeps its profile.
    options : str, of Chromium.
    """
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is on the PATH")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += ["--host-resolver-rules=MAP * ~NOTFOUND"]
    command += ["--disable-background-networking", f"--user-data-dir={folder}/profile"]
    done = subprocess.run(
        [*command, *options, "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    return done.stdout
