"""What the figures of the Evaluate page say: titles and captions, and the texts, formulas and sources behind them."""

from dataclasses import dataclass

_SM = "Salakhutdinov and Murray, *On the quantitative analysis of deep belief networks* (2008)"
_BGS = "Burda, Grosse and Salakhutdinov, *Accurate and conservative estimates of MRF log-likelihood* (2015)"
_DFS = (
    "Decelle, Furtlehner and Seoane, *Equilibrium and non-equilibrium regimes in the learning of RBMs* (2021)"
)


@dataclass(frozen=True)
class Words:
    """What a figure's title and caption say, and behind "About <picture>" its text, formula and source."""

    title: str
    caption: str
    picture: str
    text: str
    formula: str
    source: str


WORDS = {
    "convergence": Words(
        "Do the two sides meet?",
        "Forward AIS closes in on log Z from below, reverse AIS from above; dotted, both joined. They must meet before "
        "the number can be believed, and enough chains must carry the weight, beside this.",
        "the two sides",
        "Annealed importance sampling leads chains from a model without weights, whose $Z_0$ is known, to this one "
        "through many temperatures; each chain collects a weight $w$. The mean weight is right on average, but its "
        "logarithm is too low as long as rare large weights are missed. The reverse way, from the model back, errs "
        "to the other side. Bars are two standard errors.",
        r"\log Z \approx \log Z_0 + \log \frac1M \sum_{m=1}^M w^{(m)}, \qquad "
        r"w = \prod_k \frac{p^*_k(v_{k-1})}{p^*_{k-1}(v_{k-1})}",
        f"{_SM}; {_BGS}.",
    ),
    "weights": Words(
        "Do the chains agree?",
        "Each chain's own estimate. A narrow heap is good: all chains count. A few far right of the blue heap outweigh "
        "all the others, and more such may be missing.",
        "the chains' weights",
        "A histogram of every chain's log-weight, on the scale of log Z. The effective sample size counts how many "
        "chains really carry the mean: with one in a hundred, the error bar means nothing.",
        r"\log Z_0 + \log w^{(m)}, \qquad \mathrm{ESS} = \frac{\bigl(\sum_m w^{(m)}\bigr)^2}"
        r"{\sum_m \bigl(w^{(m)}\bigr)^2}",
        f"{_SM}.",
    ),
    "spread": Words(
        "Where on the way do they part?",
        "How far the chains' own estimates come apart on the way from no weights to this model. Where they part "
        "suddenly, the model changes its mind, and more temperatures are needed there.",
        "the way between",
        "At inverse temperature $\\beta$ the chains are on the way from the base model, which has biases $a$ and "
        "nothing else, at 0, to the RBM at 1. Pale: 5 to 95 % of the chains about their median; darker: the "
        "middle half.",
        r"p_\beta(v) \propto e^{(1-\beta)\, a\cdot v + \beta\, b\cdot v} "
        r"\prod_j \Bigl(1 + e^{\beta (c_j + (vW)_j)}\Bigr)",
        f"{_SM}, §4.2.",
    ),
    "along": Words(
        "Does the ladder agree with AIS?",
        "log Z of the run's models as they learned, along the ladder from its first model to this one. Points: what "
        "annealed importance sampling or counting says of single snapshots. They should lie on the line.",
        "log Z over training",
        "Neighbouring rungs of the ladder are models between which chains exchange their states. Bennett's acceptance "
        "ratio gives the difference of their log Z, and the sum of the differences from independent pixels upwards is "
        "log Z of every rung. It shares no base, no path and no starts with AIS. Pale: two standard errors.",
        r"\log Z_{k+1} - \log Z_k = -C, \qquad \sum_{v \sim p_k} \sigma(C - \Delta F_k(v)) = "
        r"\sum_{v \sim p_{k+1}} \sigma(\Delta F_k(v) - C), \quad \Delta F_k = F_{k+1} - F_k",
        "Bennett, *Efficient estimation of free energy differences from Monte Carlo data* (1976); Béreux, Decelle, "
        "Furtlehner, Rosset and Seoane, *Fast training and sampling of RBMs* (2024).",
    ),
    "scale": Words(
        "How good is that?",
        "Nats per image: to the right is better. Each nat makes an image 2.7 times as probable.",
        "the scale",
        "A fair coin for each pixel gives every image the same probability. Independent pixels know how often each one "
        "is on, and nothing of strokes; they are judged by the run's probe images. What a model gains beyond them it "
        "has learned about how pixels go together. "
        "Published for MNIST with pixels of 0 and 1: a mixture of 500 kinds of image, each of independent pixels, and "
        "an RBM of 500 hidden units trained by CD-25 on stochastically binarised pixels; they stand here for runs on "
        "the same data alone.",
        r"\text{coins: } -V \log 2, \qquad \text{independent pixels: } \Bigl\langle \sum_i v_i \log m_i + (1 - v_i) "
        r"\log (1 - m_i) \Bigr\rangle",
        f"{_SM}; of the mixture: Salakhutdinov and Hinton, *Deep Boltzmann machines* (2009).",
    ),
    "mixing": Words(
        "Do noise and data meet?",
        "Once the two curves lie on one another the chains have forgotten where they began; before that, samples "
        "are no samples of the model.",
        "the forgetting of the start",
        "Free energy of chains begun at noise and of chains begun at test images, after more and more Gibbs sweeps: "
        "the median, and 5 to 95 % of the chains. Noise begins far above the axis.",
        r"F(v) = -\log \sum_h e^{-E(v,h)}",
        f"{_DFS}.",
    ),
    "accuracy": Words(
        "Do samples look like data?",
        "Both curves stand at ½ where samples and data cannot be told apart. Best near k and worse later: the model "
        "was trained out of equilibrium.",
        "the adversarial accuracy",
        "Among as many samples as test images, how often is the nearest neighbour of one's own kind? Above ½ on the "
        "data's side, samples miss part of the data; above ½ on the samples' side, they are bunched or off the data; "
        "below ½, copied. $d_{TS}$ is the distance from an image to the nearest sample, and so on.",
        r"\mathrm{AA}_{\text{truth}} = \tfrac1N \sum_i \mathbf 1[d_{TS}(i) > d_{TT}(i)], \qquad "
        r"\mathrm{AA}_{\text{syn}} = \tfrac1N \sum_i \mathbf 1[d_{ST}(i) > d_{SS}(i)]",
        f"Yale et al., *Generation and evaluation of privacy preserving synthetic health data* (2020); {_DFS}.",
    ),
    "moments": Words(
        "How far do samples stay from data?",
        "Distance of the samples' second moments from the data's, after more and more sweeps from noise. Lowest near k "
        "and rising later: the model was trained out of equilibrium. Dotted: two sets of as many test images.",
        "the second moments",
        "How often two pixels are on together, in samples and in test images: the root mean square of the difference "
        "over all pairs of pixels. A model in equilibrium falls to the dotted line and stays there. Runs laid beside "
        "one another began from noise in the same way.",
        r"d_2(t) = \sqrt{\Big\langle \big(\langle v_i v_j \rangle_{\text{samples after } t} - "
        r"\langle v_i v_j \rangle_{\text{data}}\big)^2 \Big\rangle_{ij}}",
        f"{_DFS}.",
    ),
    "autocorrelation": Words(
        "How long does a chain remember?",
        "Correlation of a chain's free energy with its own past: the sooner it falls to nought, the better it mixes.",
        "the chain's memory",
        "The autocorrelation time $\\tau$ says how many sweeps are worth one independent sample. Deviations are from "
        "the mean of all chains, so chains stuck in different places show as correlation that stays.",
        r"\rho(t) = \frac{\mathrm{Cov}(F_s, F_{s+t})}{\mathrm{Var}(F)}, \qquad \tau = 1 + 2 \sum_{t \ge 1} \rho(t)",
        "Sokal, *Monte Carlo methods in statistical mechanics* (1997), §3.",
    ),
    "free-energies": Words(
        "Does the model tell data from noise?",
        "Samples should lie where the data lie: further left means that the model favours something else. Test far "
        "right of training means overfitting.",
        "the free energies",
        "Each bar counts cases by their free energy, the lower the more probable; $\\log Z$ is the same for all, so "
        "distances are differences of $\\log p$.",
        r"\log p(v) - \log p(v') = F(v') - F(v)",
        "Hinton, *A Practical Guide to Training Restricted Boltzmann Machines* (2010), §6.",
    ),
}
