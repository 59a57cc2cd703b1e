"""BLAS on one thread, for all of this process and from then on.

A decision's products are small. OpenBLAS would share each among all cores, and its threads then spin for some
milliseconds in wait of the next, on cores that the engine needs: with as many rows as CLINC150 has a product
takes several times its own CPU time, and on a busy machine a dozen times as long.
"""

from __future__ import annotations

from threadpoolctl import threadpool_limits


def keep_to_one() -> None:
    """Limit what is loaded by now; numpy is."""
    threadpool_limits(1, user_api="blas")
