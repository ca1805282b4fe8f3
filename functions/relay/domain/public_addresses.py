"""Which addresses are public: on the Internet, and of one host."""

import ipaddress

# Translated to the IPv4 address in its last 32 bits (RFC 6052).
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# IPv4 addresses written as IPv6 ones, long deprecated (RFC 4291, 2.5.5.1).
IPV4_COMPATIBLE = ipaddress.IPv6Network("::/96")
# Special in IANA's registry (RFC 6890, RFC 7526); Pythons differ in whether they are global.
NOT_PUBLIC = (ipaddress.IPv4Network("192.0.0.0/24"), ipaddress.IPv4Network("192.88.99.0/24"))


def is_public_address(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Say whether this is a public unicast address, also where it stands for an IPv4 one."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in NAT64 or address in IPV4_COMPATIBLE:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public_address(inner)
    elif any(address in network for network in NOT_PUBLIC):
        return False
    return address.is_global and not address.is_multicast
