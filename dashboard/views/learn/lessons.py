"""The lessons of the Learn page, from a chance for every picture to persistent chains.

Each says in plain words what it is about, asks for a prediction, shows what happens, and answers; symbols come last.
The numbers in the texts are those of the default machines; tests/dashboard/test_learn.py holds them to the engine.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Lesson:
    """One step of the tour.

    options: what can be predicted, of which options[right] comes true. press: the button that shows it again.
    machine, method and command: what the player of a training is set to and does. network: the kind of network that
    stands in its place (dashboard/figures/networks.py), which then gets the command; "" for none.
    """

    title: str
    text: str
    question: str
    options: tuple[str, ...]
    right: int
    answer: str
    formula: str
    press: str
    machine: str = "pair"
    method: str = "exact"
    command: dict[str, Any] = field(default_factory=dict)
    network: str = ""


# The keys of a command that only a prediction sends: before it, what it shows stands still at its beginning.
PRESSED = ("play", "walk", "stages", "stage", "go", "damage")

LESSONS = (
    Lesson(
        "A chance for every picture",
        "Two pixels, each off (black) or on (white), make four pictures. The data (amber) show some of them more "
        "often than others: the two pixels mostly agree. A machine (blue) has its own chance for each picture, "
        "and at first it finds all four about equally likely. **To learn is to bring the blue bars to the amber "
        "ones.**",
        "Which blue bars will grow?",
        ("both off and both on", "one off, one on", "all four"),
        0,
        "The two pictures in which the pixels agree grow from 25 % to 41 % each, and the other two shrink to 9 %. "
        "Not all can grow: chances add up to one, so what one picture gains the others lose. $p(v)$ is the chance "
        "of picture $v$.",
        r"\sum_v p(v) = 1",
        "Learn again",
        command={"view": "distribution", "at": 0, "speed": 50, "play": True},
    ),
    Lesson(
        "Energy: the lower, the likelier",
        "Four chances can be listed; those of all pictures with a thousand pixels cannot. So a machine works out "
        "one number for a picture, its *energy*: the lower, the likelier. Think of a landscape in which every "
        "picture has its place. **Learning digs valleys in it.**",
        "Where will the valleys be?",
        ("where they differ", "where the pixels agree", "everywhere alike"),
        1,
        "Under the pictures that the data show: each nat (the unit) lower makes a picture $e \\approx 2.7$ times "
        "likelier. $F(v)$ is the *free* energy, because hidden units, which come later, are summed out; dividing "
        "by $Z$ makes the chances add up to one.",
        r"p(v) = \frac{e^{-F(v)}}{Z}, \qquad Z = \sum_{v'} e^{-F(v')}",
        "Dig again",
        command={"view": "landscape", "at": 0, "speed": 50, "hop": 0, "play": True},
    ),
    Lesson(
        "A network that remembers",
        "Before RBMs there was a simpler idea. Join sixteen pixels, each to every other. Where two pixels agree "
        "in the pictures to be stored, their wire gets a positive weight (red); where they differ, a negative one "
        "(blue). Three letters are stored so: L, T and X. **Then each pixel is asked in turn, and does what its "
        "wires say.**",
        "Three pixels of the T are wrong. Where does the network end?",
        ("the T stays damaged", "at another letter", "at the T"),
        2,
        "At the T: every pixel's wires hold a piece of the whole, so what is left of a picture calls up the rest. "
        "That is Hopfield's network (1982), a memory found by its content. With $\\xi = \\pm 1$ for on and off:",
        r"w_{ij} = \tfrac{1}{N} \sum_{\text{stored}} \xi_i\, \xi_j",
        "Damage it again",
        network="few",
        command={"load": 1, "damage": True, "go": True},
    ),
    Lesson(
        "Always downhill",
        "This network has an energy as well: a red wire between two lit pixels lowers it, a blue one raises it. A "
        "pixel that is asked adds up its wires to lit pixels and its own bias; it turns on if the sum is above "
        "zero, and off if it is below. **Watch the energy while a damaged L settles.**",
        "Which way can the energy go?",
        ("only down", "only up", "up and down"),
        0,
        "Only down: a pixel changes only if that lowers the energy, by the size of its sum $x_i$. The states are "
        "many but not endless, so the network must come to rest, in a valley.",
        r"E(s) = -\sum_i b_i s_i - \sum_{i<j} s_i\, w_{ij}\, s_j, \qquad x_i = b_i + \sum_j w_{ij}\, s_j",
        "Settle again",
        network="few",
        command={"load": 0, "damage": True, "go": True, "speed": 5},
    ),
    Lesson(
        "Valleys that nobody dug",
        "Each of the 65,536 states ends in some valley; all that end in the same one are its *basin*. On the map "
        "each state has the colour of its end: strong for a letter, pale for a letter with black and white "
        "exchanged. **Start from a picture that looks like no letter.**",
        "Can it end in a valley where nothing was stored?",
        ("no, only at L, T or X", "yes", "it never comes to rest"),
        1,
        "Yes: grey on the map is a mixture of all three letters, which nobody stored; 18 % of all states end "
        "there. And the pale basins are as large as the strong ones: exchanging black and white changes no "
        "agreement between pixels.",
        r"E(\xi) = E(-\xi) \quad \text{with } \xi_i = \pm 1",
        "Start again",
        network="few",
        command={"state": 22999, "go": True},
    ),
    Lesson(
        "Too many pictures",
        "Storing a picture adds a little to every wire. Now six letters share the wires between the same sixteen "
        "pixels: L, T, X, O, H and 7. **Start at the L, undamaged, and let each pixel be asked.**",
        "How many of the six letters are still at rest?",
        ("all six", "two", "none"),
        1,
        "Two, H and X. The other valleys have run into one another, and the L slides into a mixture. A network of "
        "$N$ units keeps about $0.14\\,N$ pictures that are drawn at random, here about two.",
        r"\text{capacity} \approx 0.138\, N",
        "Slide again",
        network="many",
        command={"load": 0, "go": True},
    ),
    Lesson(
        "Units that toss coins",
        "Who only goes downhill stays in the first valley. So let chance in: a unit that is asked tosses a coin, "
        "weighted by what its wires say. A *temperature* says how little the weighting counts. Here are nine "
        "pixels and three *hidden* units, which no picture sets; all twelve are joined, and have learned pictures "
        "of whole bars or stripes.",
        "It is cold: temperature 0.3. How many different pictures will the chain meet?",
        ("the 14 of the data", "nearly all 512", "very few"),
        2,
        "One: cold, the coins nearly always obey. Now choose a higher temperature: at 1 it meets 39 pictures in "
        "300 sweeps, at 5 it meets 180, most of them nonsense. $\\sigma(x) = 1/(1+e^{-x})$ turns any sum into a "
        "chance.",
        r"p(s_i = 1 \mid \text{the others}) = \sigma(x_i / T)",
        "Walk again",
        network="joined",
        command={"temperature": 0, "go": True, "speed": 200},
    ),
    Lesson(
        "How often it visits each state",
        "At temperature 1 the chain wanders from valley to valley. This is a *Boltzmann machine*: a network in "
        "which each state has a chance that follows from its energy. Blue is that chance, counted out over all "
        "states; pink is how often the chain was there. **Let it walk.**",
        "After many sweeps, how do pink and blue compare?",
        ("pink favours the start", "they come together", "pink becomes even"),
        1,
        "They come together: a unit's coin is weighted exactly so that, in the long run, each state is visited as "
        "often as its chance says. Slowly, though: it lingers in a valley, so 300 sweeps are still a rough count.",
        r"p(s) = \frac{e^{-E(s)/T}}{Z}, \qquad Z = \sum_{s'} e^{-E(s')/T}",
        "Walk again",
        network="joined",
        command={"temperature": 2, "go": True, "speed": 200},
    ),
    Lesson(
        "Why it is hard to learn",
        "Learning asks how often two units are on together: in the data, and in the machine left to itself. The "
        "second needs the chance of every state, and so the sum Z over all of them; or a chain that asks one "
        "unit at a time, for a long time, after every single update.",
        "Over how many states of these twelve units does Z sum?",
        ("12", "144", "4,096"),
        2,
        "$2^{12} = 4{,}096$, which can still be counted: this machine was trained exactly. A digit's 784 pixels "
        "with 500 hidden units have $2^{1284}$ states, a number with 387 digits. No sum like that will ever be "
        "finished.",
        r"\Delta w_{ij} \propto \langle s_i s_j\rangle_{\text{data}} - \langle s_i s_j\rangle_{\text{machine}}",
        "Walk once more",
        network="joined",
        command={"temperature": 2, "go": True, "speed": 60},
    ),
    Lesson(
        "The restriction",
        "Now cut every wire between two pixels and every wire between two hidden units; those between the layers "
        "stay. Given the pixels, no hidden unit hears another, so none must wait for another: **a whole layer can "
        "be drawn at once.**",
        "How many steps does a sweep over all twelve units take now?",
        ("12", "3", "2"),
        2,
        "Two: all hidden units, then all pixels, since the chances of a layer are a plain product. The price: "
        "pixels must agree *through* hidden units. With only three the distance to the data (KL) is 1.69 nats, "
        "with all wires 0.10; eight hidden units reach 0.16.",
        r"p(h \mid v) = \prod_j p(h_j \mid v), \qquad p(v \mid h) = \prod_i p(v_i \mid h)",
        "Walk again",
        network="restricted",
        command={"temperature": 2, "go": True, "speed": 10},
    ),
    Lesson(
        "Hidden units carry the agreement",
        "Two pixels again, and one hidden unit, which is on or off as well. Each pixel is joined to it by a "
        "*weight*; no pixel is joined to another, and no hidden unit either: that is what *restricted* means in "
        "**Restricted Boltzmann Machine**, RBM. A *bias* makes its own unit likelier to be on. In the data the "
        "pixels mostly agree.",
        "How must the two weights grow for that?",
        ("both the same way", "one up, one down", "they stay near zero"),
        0,
        "Both the same way: then a lit hidden unit lights both pixels, and a dark one leaves both to their "
        "biases, which turn negative. The unit has become a word for “both on”. $b_i$ and $c_j$ are the biases, "
        "$w_{ij}$ the weights.",
        r"p(h_j{=}1\mid v) = \sigma\big(c_j + \textstyle\sum_i v_i w_{ij}\big)",
        "Learn again",
        command={"view": "distribution", "at": 0, "speed": 50, "play": True},
    ),
    Lesson(
        "The energy, added up by hand",
        "A state is now a picture *and* a hidden state. Its energy is a sum: for every unit that is on, minus its "
        "bias; for every weight with both ends on, minus that weight. The table does this for all eight states of "
        "the trained machine. The biases of the pixels are −2.365, that of the hidden unit −4.10, both weights "
        "4.42.",
        "Both pixels on, the hidden unit off: which energy?",
        ("high", "zero", "low"),
        0,
        "High, 4.73 nats: both pixels pay 2.365, and without the hidden unit no weight pays anything back. With it "
        "on, 4.10 more must be paid, but both weights pay back 4.42 each: 4.73 + 4.10 − 8.84 = −0.01 nats.",
        r"E(v,h) = -\sum_i b_i v_i - \sum_j c_j h_j - \sum_{i,j} v_i\, w_{ij}\, h_j",
        "Show the table",
        command={"view": "energies", "at": 400},
    ),
    Lesson(
        "From energies to chances",
        "Each state has a weight, e to the power of minus its energy. Their sum is Z, and a weight's "
        "share of it is the state's chance. But we see pictures, not hidden units. **Each picture stands in two "
        "rows, with the hidden unit off and on.**",
        "How does one get a picture's chance from its two rows?",
        ("the larger one", "their sum", "their product"),
        1,
        "Their sum: the picture appears whichever way the hidden unit stands. The free energy $F(v)$ is the one "
        "energy that weighs as much as both rows. With many hidden units it splits into a term for each.",
        r"e^{-F(v)} = \sum_h e^{-E(v,h)}, \qquad "
        r"F(v) = -b{\cdot}v - \sum_j \log\bigl(1 + e^{c_j + (vW)_j}\bigr)",
        "Show the table",
        command={"view": "energies", "at": 120},
    ),
    Lesson(
        "A score for a machine",
        "How good is a machine? Show it a picture of the data and ask what chance it gave to it: the score is the "
        "logarithm of that chance, averaged over the data. It is never above zero, and higher is better. **The "
        "curve beside the buttons shows how far the score is from the best possible.**",
        "A machine gives one picture of the data a chance of zero. Its score?",
        ("zero", "a little lower", "minus infinity"),
        2,
        "Minus infinity, however well it does on all others: a machine must leave a little chance to everything "
        "that may come. The best possible score here is −1.14 nats, which is what the data's own chances score.",
        r"\overline{\log p(v)} = \frac{1}{N} \sum_{n=1}^{N} \log p\bigl(v^{(n)}\bigr)",
        "Learn again",
        command={"view": "distribution", "at": 0, "speed": 50, "play": True},
    ),
    Lesson(
        "What is missing: the divergence",
        "What the score lacks to the best possible is called the *divergence*, KL. Now nine pixels: 512 pictures, "
        "of which the data use 14, made of whole bars or stripes. Eight hidden units, and exact learning. **The "
        "curve beside the buttons is the KL; zero would be perfect.**",
        "How near to zero will it come in 2,000 updates?",
        ("below 0.2 nats", "about 2 nats", "exactly zero"),
        0,
        "It ends at 0.16 nats. Never at exactly zero: each unlikely picture keeps a small chance, and it gets "
        "ever slower. Early on it waits on a slope until hidden units have shared the work.",
        r"\mathrm{KL} = \sum_v p_{\text{data}}(v)\, \log \frac{p_{\text{data}}(v)}{p(v)} \;\ge\; 0",
        "Learn again",
        machine="3x3",
        command={"view": "distribution", "at": 0, "speed": 200, "play": True},
    ),
    Lesson(
        "What a weight wants",
        "Two pixels again, so that every number shows. For each weight ask two questions: how often are its pixel "
        "and its hidden unit on together in the data, and how often in the machine's own pictures?",
        "In the data 42 times in a hundred, in the machine 40 times. The weight should …",
        ("shrink", "grow", "stay"),
        1,
        "Grow: then “both on” gets cheaper, and the machine shows it more often, until the two numbers meet. "
        "Where they are equal for all weights, nothing moves any more. All stages of the update are lit below; "
        "click them.",
        r"\langle v_i h_j\rangle_{\text{data}} - \langle v_i h_j\rangle_{\text{machine}}",
        "Show the difference",
        command={"view": "update", "at": 60, "stage": 4},
    ),
    Lesson(
        "One update by hand",
        "The table works out update 61 for the first weight, now 1.345. Each picture tells the hidden unit how "
        "likely to be on: 0.884 for both on. In the data that picture's share is 0.417, and 0.417 × 0.884 = "
        "0.368; with the picture in which only pixel 1 is on the sum is 0.424. In the machine it is 0.403. The "
        "learning rate is 1.7.",
        "What is the weight after the update?",
        ("1.345", "1.310", "1.380"),
        2,
        "1.345 + 1.7 × (0.4236 − 0.4031) = 1.380. Every number in the table can be checked with a pocket "
        "calculator: $\\sigma(2.029) = 1/(1 + e^{-2.029}) = 0.884$.",
        r"w_{ij} \leftarrow w_{ij} + \varepsilon\,\bigl(\langle v_i h_j\rangle_{\text{data}} - "
        r"\langle v_i h_j\rangle_{\text{machine}}\bigr)",
        "Show the table",
        command={"view": "hand", "at": 60},
    ),
    Lesson(
        "All weights at once: the gradient",
        "The differences of all weights and biases together are an arrow, the *gradient*: it points where the "
        "score rises most steeply. An update takes one step along it, as long as the *learning rate* says. **See "
        "one update in six stages.**",
        "If every step follows the exact gradient, can the KL rise in between?",
        ("no, not with steps this small", "yes, now and then", "yes, half of the time"),
        0,
        "No: in all 400 updates of this machine it falls. Too large a step could leap over a valley; the rate "
        "below falls to zero, so that the last steps are careful ones. Barred is the mean over the data.",
        r"\partial\, \overline{\log p(v)} \,/\, \partial w_{ij} = "
        r"\langle v_i h_j\rangle_{\text{data}} - \langle v_i h_j\rangle_{\text{machine}}",
        "One update in stages",
        command={"view": "update", "at": 60, "stage": 0, "stages": True},
    ),
    Lesson(
        "Asking the machine for pictures",
        "The machine's half of the gradient needs its own pictures. They come from a *Gibbs chain*, which the "
        "restriction made quick: draw all hidden units from the picture, then a picture from the hidden units, "
        "and again. In the long run it visits each picture as often as its chance says.",
        "How will it move through the valleys?",
        ("a new valley at each step", "it lingers, then crosses", "through all 512 in turn"),
        1,
        "It lingers: from inside a valley most draws stay inside. The deeper training digs, the longer a chain "
        "takes to cross, and so the longer until its pictures are a fair sample. That is the one great difficulty "
        "with RBMs.",
        r"p(h_j{=}1\mid v) = \sigma\big(c_j + \sum_i v_i w_{ij}\big), \qquad "
        r"p(v_i{=}1\mid h) = \sigma\big(b_i + \sum_j w_{ij} h_j\big)",
        "Let the chain walk",
        machine="3x3",
        command={"view": "landscape", "at": 600, "hop": 0, "walk": True},
    ),
    Lesson(
        "Contrastive divergence: a short cut",
        "A chain takes long to forget where it began. *Contrastive divergence*, CD-k, does not wait: it starts a "
        "chain at each picture of the data, makes k sweeps, often just one, and stops. The pictures reached by "
        "then stand in for the machine's own.",
        "How far from their start are the chains after one sweep?",
        ("still close", "anywhere", "all at the same picture"),
        0,
        "Still close: compare start and end of each chain below. Where the chains never come, nothing is pushed "
        "up, even if the machine has a valley there. $\\Delta w_{ij}$ is in proportion, $\\propto$, to the "
        "difference.",
        r"\Delta w_{ij} \;\propto\; \langle v_i h_j\rangle_{\text{data}} - "
        r"\langle v_i h_j\rangle_{\text{after } k \text{ sweeps}}",
        "One update with CD-1",
        machine="3x3",
        method="cd1",
        command={"view": "update", "at": 300, "stage": 2},
    ),
    Lesson(
        "The price of the short cut",
        "This machine is so small that the exact gradient can be counted out and laid beside each estimate. The "
        "angle between them says how far astray one step goes: at 0° the score climbs as steeply as can be, "
        "beyond 90° it falls. The control stands at 96 chains, as many as an update uses. **Look at update 674.**",
        "Which estimate goes furthest astray?",
        ("CD-10", "PCD", "CD-1"),
        2,
        "CD-1, by 71°. With 96 chains that is noise and bias together. Choose 960: the noise averages out, and "
        "what is left of CD-1's error is bias, 100°. That is one step's direction; the curve of the KL sums up "
        "all steps.",
        r"\angle(g, g') = \arccos \frac{g \cdot g'}{\lVert g\rVert\, \lVert g'\rVert}",
        "Compare gradients",
        machine="3x3",
        method="cd1",
        command={"view": "gradients", "at": 674, "many": 0},
    ),
    Lesson(
        "Persistent chains: do not start again",
        "*Persistent* CD, PCD, keeps its chains: each update goes on where the last one left them. The machine "
        "changes little from one update to the next, so the chains stay close to its own pictures, and in time "
        "they walk far from the data. Where they find a valley that does not belong there, learning fills it.",
        "CD-1 ends at a KL of 0.53 nats. Where does PCD end, with as many sweeps?",
        ("at the same", "lower", "higher"),
        1,
        "Lower, at 0.28; CD-10 pays ten times the sweeps and ends at 0.12. Choose CD-1, CD-10 or Exact above: all "
        "curves stay side by side. And PCD's curve swings, which is the next lesson.",
        r"v^{(t+1)} \sim \text{one sweep from } v^{(t)} \qquad \text{in the machine after update } t",
        "Learn with PCD",
        machine="3x3",
        method="pcd",
        command={"view": "distribution", "at": 0, "speed": 200, "play": True},
    ),
    Lesson(
        "Why PCD's curve swings",
        "The chains lag behind the machine. Where too many of them gather in one valley, the updates fill it; by the "
        "time they have left it is filled too far, and they crowd in the next. So the machine swings about the data: "
        "between updates 900 and 1,600 the KL goes up to 1.9 and down to 0.3 nats.",
        "The learning rate falls to zero at the end. What becomes of the swings?",
        ("they stay", "they grow", "they die down"),
        2,
        "They die down: with small steps the machine changes more slowly than the chains mix. It ends at 0.28 nats. "
        "So a falling rate belongs to PCD; more chains help too.",
        r"\varepsilon_t = \varepsilon_0\,\bigl(1 - t/T\bigr)",
        "Learn with PCD",
        machine="3x3",
        method="pcd",
        command={"view": "distribution", "at": 900, "speed": 200, "play": True},
    ),
    Lesson(
        "From sixteen pixels to digits",
        "Sixteen pixels make 65,536 pictures, which can still be counted. A digit has 28 × 28 pixels. All you "
        "have seen stays the same; only nothing can be counted any more: the gradient must come from chains, and "
        "the score from an estimate with an error bar.",
        "How many pictures do 784 pixels make?",
        ("784", "about a million", "a number with 237 digits"),
        2,
        "$2^{784} \\approx 10^{236}$, more than there are atoms in the universe, by a factor with 150 zeros. "
        "Learn the larger machine here, then start a run on real digits on the Train page.",
        r"\log p(v) = -F(v) - \log Z",
        "Learn 4 × 4",
        machine="4x4",
        method="pcd",
        command={"view": "distribution", "at": 0, "speed": 200, "play": True},
    ),
)
