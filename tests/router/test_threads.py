"""What a router leaves of the machine to others."""

from __future__ import annotations

from threadpoolctl import threadpool_info, threadpool_limits

from router.deciding.policy import NO_POLICY
from router.router import Router


def _blas() -> list[int]:
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


def test_decisions_keep_blas_to_one_thread(small_router: Router) -> None:
    with threadpool_limits(2, user_api="blas"):
        assert 2 in _blas()
        small_router.under(NO_POLICY)
        assert set(_blas()) == {1}
