"""The attacks in their order, one file each."""

from checks.siege.attacks import (
    a1_hung_provider,
    a2_sustained,
    a3_endless_heads,
    a4_invented_channels,
    a5_sockets,
    a6_bad_keys,
    a7_large_calls,
    b8_full_disk,
    b10_no_database,
)
from checks.siege.siege import Attack

ATTACKS: tuple[Attack, ...] = (
    a1_hung_provider.ATTACK,
    a2_sustained.ATTACK,
    a3_endless_heads.ATTACK,
    a4_invented_channels.ATTACK,
    a5_sockets.ATTACK,
    a6_bad_keys.ATTACK,
    a7_large_calls.ATTACK,
    b8_full_disk.ATTACK,
    b10_no_database.ATTACK,
)
