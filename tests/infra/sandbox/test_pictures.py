"""The store of rendered pictures and their inputs."""

from io import BytesIO

import pytest
from PIL import Image

from infra.sandbox.pictures import KEPT_RENDERS, InputUnusableError, Pictures, reduced
from infra.sandbox.rendering import MAX_WIDTH, Render, noise_png, room_jpeg
from tests.infra.sandbox.test_provider_api import a_sandbox


def a_render(ref: str) -> Render:
    return Render(ref, "spacely", "upscale", 4, {}, None)


def test_an_input_is_reduced_and_its_width_remembered():
    source = reduced(room_jpeg("loft"))

    assert source.width == 1200
    assert Image.open(BytesIO(source.jpeg)).size == (MAX_WIDTH, 512)


@pytest.mark.parametrize("raw", [b"", b"<html>", room_jpeg("loft")[:2000]])
def test_a_file_that_is_no_whole_picture_is_refused(raw: bytes):
    with pytest.raises(InputUnusableError):
        reduced(raw)


def test_renders_of_one_input_share_it():
    pictures = Pictures()

    assert pictures.source(room_jpeg("loft")) is pictures.source(
        bytes(bytearray(room_jpeg("loft")))
    )


def test_only_the_newest_renders_have_pictures():
    pictures = Pictures()
    for number in range(KEPT_RENDERS + 1):
        pictures.add(a_render(f"ref{number}"))

    assert pictures.png("ref0", 1) is None
    assert pictures.png("ref1", 5) is None
    assert pictures.png("ref1", 4) == pictures.png("ref1", 4)


def test_noise_is_a_small_picture_that_differs_from_every_other():
    pictures = [noise_png("ref1", 1), noise_png("ref1", 2), noise_png("ref2", 1)]

    assert len(set(pictures)) == 3
    assert all(Image.open(BytesIO(one)).format == "PNG" and len(one) < 20_000 for one in pictures)


def test_a_sandbox_that_draws_noise_serves_it():
    sandbox = a_sandbox(draws_noise=True)
    ident = sandbox.redesign().json["id"]
    sandbox.clock.sleep(60)

    served = sandbox.http.get(f"/renders/{ident}-1.png")

    assert (served.data, served.mimetype) == (noise_png(ident, 1), "image/png")
