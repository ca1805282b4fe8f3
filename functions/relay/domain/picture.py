"""Recognises pictures by their first bytes."""

import msgspec


class PictureType(msgspec.Struct, frozen=True):
    """A type of picture that is kept.

    Attributes:
        extension: Of an object's name, without the dot.
    """

    content_type: str
    extension: str


JPEG = PictureType("image/jpeg", "jpg")
PNG = PictureType("image/png", "png")
WEBP = PictureType("image/webp", "webp")


def picture_type(body: bytes) -> PictureType | None:
    """Return the type that the first bytes tell; None if it is none that is kept.

    See MIME Sniffing, 6.1 ("Matching an image type pattern").
    """
    if body.startswith(b"\xff\xd8\xff"):
        return JPEG
    if body.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if body.startswith(b"RIFF") and body[8:14] == b"WEBPVP":
        return WEBP
    return None
