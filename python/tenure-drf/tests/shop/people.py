from typing import Any

from tenure_drf.identity import Identity


def fields(identity: Identity) -> dict[str, Any]:
    return {"full_name": f"{identity.role} {identity.plan or 'without a plan'}"}
