"""Ten short lessons for the Learn page, from a probability to persistent chains; each has a button."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Lesson:
    """One step of the tour. Its button says `press`, sets machine and method, and plays the command."""

    title: str
    text: str
    formula: str
    press: str
    machine: str
    method: str
    command: dict[str, Any] = field(default_factory=dict)


PRESSED = ("play", "walk", "stages", "stage", "many")  # the keys of a command that only the button sends

LESSONS = (
    Lesson(
        "A chance for every picture",
        r"""Two pixels, each off (black) or on (white), make four pictures. The data (amber) show some of them
more often than others: the two pixels mostly agree. A machine (blue) has its own probability $p(v)$ for each
picture $v$, and at first it finds all four about equally likely. **To learn is to bring the blue bars to the
amber ones.**""",
        r"\sum_v p(v) = 1",
        "Let it learn",
        "pair",
        "exact",
        {"view": "distribution", "at": 0, "speed": 50, "play": True},
    ),
    Lesson(
        "Energy: the lower, the likelier",
        r"""Four probabilities can be listed; those of all pictures with a thousand pixels cannot. So the
machine works out a *free energy* $F(v)$ for a picture, in nats: one nat lower is $e \approx 2.7$ times
likelier, and $Z$ makes the probabilities sum to one. **Learning digs valleys where the data are.**""",
        r"p(v) = \dfrac{e^{-F(v)}}{Z}, \qquad Z = \sum_{v'} e^{-F(v')}",
        "Watch valleys form",
        "pair",
        "exact",
        {"view": "landscape", "at": 0, "speed": 50, "hop": 0, "play": True},
    ),
    Lesson(
        "Hidden units carry the agreement",
        r"""Each pixel is joined, by a weight $w_{ij}$, to *hidden* units, which are on or off as well;
no pixel is joined to another, and no hidden unit either: that is what *restricted* means in **Restricted
Boltzmann Machine**, RBM. A positive weight makes it cheap for both of its ends to be on, a bias $b_i$ or
$c_j$ makes its own unit likelier, and $e^{-F(v)}$ is the sum of $e^{-E(v,h)}$ over all $h$. **Watch
one hidden unit tie the two pixels together.**""",
        r"E(v,h) = -\sum_i b_i v_i - \sum_j c_j h_j - \sum_{i,j} v_i\, w_{ij}\, h_j",
        "Watch the weights grow",
        "pair",
        "exact",
        {"view": "distribution", "at": 0, "speed": 50, "play": True},
    ),
    Lesson(
        "How good is it?",
        r"""Score the machine by the mean of $\log p(v)$ over the data, its *log-likelihood*. What is
missing to the best possible score is the divergence KL. Now nine pixels: of 512 pictures the data use 14,
made of whole bars or stripes. **The curve beside the buttons is the KL; zero is perfect.**""",
        r"\mathrm{KL} = \sum_v p_{\text{data}}(v)\, \log \dfrac{p_{\text{data}}(v)}{p(v)} \;\ge\; 0",
        "Learn 3 × 3",
        "3x3",
        "exact",
        {"view": "distribution", "at": 0, "speed": 200, "play": True},
    ),
    Lesson(
        "What each weight wants",
        r"""Two pixels again, so that every number shows. Which way must a weight move for the score to rise? By
how often pixel and hidden unit are on together in the data, less how often in the machine's own pictures: $\langle
\cdot \rangle$ is a mean, $\partial/\partial w_{ij}$ how fast the score (barred: its mean) rises with the weight.
**See one update in six stages.**""",
        r"\dfrac{\partial\, \overline{\log p(v)}}{\partial w_{ij}} = "
        r"\langle v_i h_j\rangle_{\text{data}} - \langle v_i h_j\rangle_{\text{machine}}",
        "One update in stages",
        "pair",
        "exact",
        {"view": "update", "at": 60, "stage": 0, "stages": True},
    ),
    Lesson(
        "Asking the machine for pictures",
        r"""The machine's half needs its own pictures. They come from a *Gibbs chain*: draw the hidden
units from the picture, then a picture from the hidden units, and again; $\sigma(x) = 1/(1+e^{-x})$ makes a
probability of any number. In the long run it visits each picture as often as $p(v)$ says. **Watch it hop,
and note how it lingers in a valley.**""",
        r"p(h_j{=}1\mid v) = \sigma\big(c_j + \sum_i v_i w_{ij}\big), \qquad "
        r"p(v_i{=}1\mid h) = \sigma\big(b_i + \sum_j w_{ij} h_j\big)",
        "Let the chain walk",
        "3x3",
        "exact",
        {"view": "landscape", "at": 600, "hop": 0, "walk": True},
    ),
    Lesson(
        "Contrastive divergence: a short cut",
        r"""A chain takes long to forget where it began. *Contrastive divergence*, CD-$k$, does not wait:
it starts a chain at each picture of the data, makes $k$ sweeps, and stops. The pictures it has reached by
then stand in for the machine's own, though they are still close to the data. The change $\Delta w_{ij}$ is in
proportion, $\propto$, to the difference. **Look at the chains after one
sweep: how far did they get?**""",
        r"\Delta w_{ij} \;\propto\; \langle v_i h_j\rangle_{\text{data}} - "
        r"\langle v_i h_j\rangle_{\text{after } k \text{ sweeps}}",
        "One update with CD-1",
        "3x3",
        "cd1",
        {"view": "update", "at": 300, "stage": 2},
    ),
    Lesson(
        "The price of the short cut",
        r"""This machine is so small that the exact gradient $g$ can be counted out and laid beside an
estimate $g'$. The angle between them says how far astray a step goes: at $0^\circ$ the score climbs as steeply
as can be, beyond $90^\circ$ it falls. At update 674 CD-1 goes far astray. That is one step's direction; the
curve of the KL sums up all steps so far. **With 96 chains you see noise and bias; with 960 mostly the bias, which
stays.**""",
        r"\angle(g, g') = \arccos \dfrac{g \cdot g'}{\lVert g\rVert\, \lVert g'\rVert}",
        "Compare gradients",
        "3x3",
        "cd1",
        {"view": "gradients", "at": 674, "many": 1},
    ),
    Lesson(
        "Persistent chains: do not start again",
        r"""*Persistent* CD, PCD, keeps its chains: each update goes on where the last one left them. The
machine changes little from one update to the next, so the chains stay close to its own pictures. They also
walk far from the data, and where they come upon a valley that does not belong there, learning fills it.
**Choose CD-1, CD-10 or Exact, and all their curves stay side by side.**""",
        r"v^{(t+1)} \sim \text{one sweep from } v^{(t)} \qquad \text{in the machine after update } t",
        "Learn with PCD",
        "3x3",
        "pcd",
        {"view": "distribution", "at": 0, "speed": 200, "play": True},
    ),
    Lesson(
        "From sixteen pixels to digits",
        r"""Here $2^{16} = 65{,}536$ pictures can still be counted. A digit of $28 \times 28$ pixels is one of
$2^{784} \approx 10^{236}$: there the gradient *must* come from chains, and $\log Z$ from an estimate with an
error bar. All else is what you have just seen. **Learn the larger machine, then start a run on real digits on the Train
page.**""",
        r"\log p(v) = -F(v) - \log Z",
        "Learn 4 × 4",
        "4x4",
        "pcd",
        {"view": "distribution", "at": 0, "speed": 200, "play": True},
    ),
)
