"""log Z and log p(v): exactly where a layer can be enumerated, else by annealing, from both sides."""

from rbm_core.likelihood.ais import AISResult, ais, base_rate, temperatures
from rbm_core.likelihood.exact import exact_log_z

__all__ = ["AISResult", "ais", "base_rate", "exact_log_z", "temperatures"]
