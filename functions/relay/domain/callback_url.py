"""Which URLs of callers their events may be posted to; see contract, section 5a."""

from urllib.parse import urlsplit

from relay.domain.catalogue.fields import ImageUrl, LocalUrls, is_local_host, read_image_url


def read_callback_url(value: object, *, allow_local_urls: LocalUrls) -> str:
    """Return the URL of a callback, which is as public as an image's must be.

    Args:
        allow_local_urls: Where it may be ``http``, on a private host and on any port.

    Raises:
        ValueError: Says what was expected, as the rest of a sentence.
    """
    url = read_image_url(ImageUrl, value, allow_local_urls=allow_local_urls)
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise ValueError("must have no user name and no password")
    if not parts.netloc.isascii():
        # Programs differ in which host a name in another alphabet is, and in whether it is one.
        raise ValueError("must have its host in ASCII, as in xn--mller-kva.example")
    if ":" in (parts.hostname or ""):
        raise ValueError("must have a host with an IPv4 address")
    if parts.port not in (None, 443) and not is_local_host(parts.hostname, allow_local_urls):
        raise ValueError("must be on port 443")
    return str(url)
