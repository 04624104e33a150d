"""HTTP for people and monitoring: health, metrics, queue, ledger, profiles."""
