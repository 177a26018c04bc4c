"""Names of the protocols, for options and recipes; `protocols.PROTOCOLS` has the protocols themselves."""

from typing import Literal

ProtocolName = Literal["paper-y", "mmagic-rgb", "mmedit-rgb", "c2-matching", "c2-matching-rgb"]
