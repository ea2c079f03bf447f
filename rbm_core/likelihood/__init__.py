"""log Z and log p(v): exactly where a layer can be enumerated, else by annealing, from both sides."""

from rbm_core.likelihood.ais import Bracket, adaptive_betas, ais, base_rate, reverse_ais, temperatures
from rbm_core.likelihood.annealing import AISResult
from rbm_core.likelihood.evidence import Evidence, Verdict, judge
from rbm_core.likelihood.exact import exact_log_likelihood, exact_log_z

__all__ = [
    "AISResult",
    "Bracket",
    "Evidence",
    "Verdict",
    "adaptive_betas",
    "ais",
    "base_rate",
    "exact_log_likelihood",
    "exact_log_z",
    "judge",
    "reverse_ais",
    "temperatures",
]
