"""Every setting of kopf, in one place; see the traps that each avoids."""

import kopf

from reprise.adapters.wire import benchmark_run

_PREFIX = "reprise.dev"


def configure(settings: kopf.OperatorSettings) -> None:
    """Set up kopf: our names on objects, nothing posted or peered by itself, bounded requests."""
    settings.persistence.finalizer = benchmark_run.FINALIZER
    # The status is ours alone; what kopf must remember goes into annotations under our name.
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=_PREFIX)
    settings.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(
        prefix=_PREFIX, key="last-handled-configuration"
    )
    # Exceptions and logs can name what was changed.
    settings.posting.enabled = False
    settings.posting.loggers = False
    # With equal priorities two peers freeze each other; there is one replica, replaced by Recreate.
    settings.peering.standalone = True
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 5
    # A watch that died silently is noticed.
    settings.watching.server_timeout = 120
    settings.watching.client_timeout = 150
    settings.watching.connect_timeout = 5
    # The namespaces and CRDs are fixed: no second look at all resources of the cluster.
    settings.scanning.disabled = True
    # The delete handler may be in the middle of a long recovery; a restart goes on with it.
    settings.queueing.exit_timeout = 2
    settings.background.cancellation_polling = 5
    settings.process.ultimate_exiting_timeout = 25
