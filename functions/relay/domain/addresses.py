"""Which internet addresses are public: those that anybody's call may go to."""

import ipaddress

# Translated to the IPv4 address in its last 32 bits (RFC 6052).
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# IPv4 addresses written as IPv6 ones, long deprecated (RFC 4291, 2.5.5.1).
IPV4_COMPATIBLE = ipaddress.IPv6Network("::/96")
# Global to Python 3.11, not to IANA's registry of special-purpose addresses, or no longer used
# (RFC 7526).
NOT_PUBLIC = (
    ipaddress.IPv4Network("192.0.0.0/24"),
    ipaddress.IPv4Network("192.88.99.0/24"),
)


def is_public_address(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Return whether an address is a public unicast one, in whatever form it is written."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in NAT64 or address in IPV4_COMPATIBLE:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public_address(inner)
    elif any(address in network for network in NOT_PUBLIC):
        return False
    return address.is_global and not address.is_multicast
