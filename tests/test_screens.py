"""Thirty key views as they look: each is close to the picture that was kept of it, letters aside.

``WALLVIZ_WRITE_SCREENS=1 pytest tests/test_screens.py`` takes the pictures anew; look at each before it is kept.
"""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from conftest import Visit
from PIL import Image
from playwright.sync_api import Page

pytestmark = pytest.mark.browser

KEPT = Path(__file__).parent / "screens"
#: Name, address, width; light on a laptop unless the name says otherwise.
VIEWS = {
    "start": ("/?lang=en", 1280),
    "start-zh-dark": ("/?lang=zh&model=qwen3-8b&chip=h20", 1280),
    "start-phone": ("/?lang=en", 390),
    **{f"step-{n}": (f"/story?step={n}&lang={'zh' if n % 2 else 'en'}", 1280) for n in range(1, 10)},
    "step-present": ("/story?step=9&lang=en&present=true", 1280),
    "growth": ("/growth?data=2021&lang=en", 1280),
    "growth-size-linear": ("/growth?figure=size&scale=linear&lang=en", 1280),
    "growth-memory": ("/growth?figure=training&lang=zh", 1280),
    "growth-present-dark": ("/growth?data=2021&lang=zh&present=true", 1280),
    "footprint-serve": ("/footprint?lang=en", 1280),
    "footprint-train": ("/footprint?job=train&lang=zh", 1280),
    "footprint-map": ("/footprint?show=map&lang=en", 1280),
    "footprint-phone": ("/footprint?job=train&lang=en", 390),
    "hierarchy": ("/hierarchy?lang=en", 1280),
    "hierarchy-years-dark": ("/hierarchy?show=years&lang=en", 1280),
    "roofline": ("/roofline?lang=en", 1280),
    "roofline-time": ("/roofline?show=time&lang=zh", 1280),
    "scaleout": ("/scaleout?job=train&chips=64&lang=en", 1280),
    "scaleout-serve-zh": ("/scaleout?chips=8&lang=zh", 1280),
    "remedies": ("/remedies?job=train&chips=8&lang=en", 1280),
    "remedies-plane": ("/remedies?figure=plane&lang=en", 1280),
    "chips": ("/chips?lang=en", 1280),
    "accuracy-embed": ("/accuracy?embed=true&lang=en", 900),
}
#: A picture is compared as so many cells of its mean brightness: what stands where, not which font drew it.
CELLS = (64, 40)
MEAN, CELL, SHARE = 2.5, 28.0, 0.02
"""How far cells of two pictures may be apart, of 255: on average, and each but for a share of them."""


def picture(page: Page) -> Image.Image:
    page.wait_for_timeout(600)  # the chart's names are thinned out a frame after it is drawn
    return Image.open(BytesIO(page.screenshot(animations="disabled"))).convert("L")


def cells(image: Image.Image) -> np.ndarray:
    return np.asarray(image.resize(CELLS, Image.Resampling.BOX), dtype=float)


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_looks_as_it_did(visit: Visit, name: str) -> None:
    """Cell by cell a view is as bright as the picture that was kept of it, within a tolerance for fonts."""
    address, width = VIEWS[name]
    page = visit(address, width=width)
    if "dark" in name:
        page.emulate_media(color_scheme="dark")
    if name.startswith("step"):
        page.locator("[class*='st-key-story_'][class*=_skip] button").click()
        page.wait_for_function("() => document.querySelector('.wallviz-chart')?.dataset.drawn")
    seen = picture(page)
    file = KEPT / f"{name}.webp"
    if os.environ.get("WALLVIZ_WRITE_SCREENS"):
        KEPT.mkdir(exist_ok=True)
        seen.resize((seen.width // 2, seen.height // 2), Image.Resampling.LANCZOS).save(file, quality=60)
        return
    apart = np.abs(cells(seen) - cells(Image.open(file).convert("L")))
    assert apart.mean() <= MEAN
    assert (apart > CELL).mean() <= SHARE


def test_every_picture_is_of_a_view() -> None:
    """No picture is left of a view that is no longer looked at."""
    assert {file.stem for file in KEPT.iterdir()} == {*VIEWS}
