"""The texts about the pictures of the Learn page: a few sentences, a formula and a source each."""

import streamlit as st

from dashboard.ui.about import about


def about_pictures() -> None:
    """One quiet button a picture, in the order in which the player shows them."""
    with st.container(horizontal=True):
        about(
            "the curve",
            "The divergence is what the machine's log-likelihood lacks to the best possible, the negative entropy "
            "of the data; in nats per picture. Every point is exact: all pictures are counted. The curves of "
            "other methods stay as long as machine, hidden units, rate and seed do.",
            formula=r"\mathrm{KL} = \sum_v p_{\text{data}}(v) \log \frac{p_{\text{data}}(v)}{p(v)} "
            r"\qquad \phantom{\mathrm{KL}} = -H(p_{\text{data}}) - \sum_v p_{\text{data}}(v) \log p(v)",
            source="Hinton, *Training products of experts by minimizing contrastive divergence* (2002).",
        )
        about(
            "the distribution",
            "Amber: how often a picture is in the data. Blue: how likely the machine finds it; $Z$ is summed over "
            "all states of the smaller layer. Bars and stripes are made by tossing a coin for the direction, then "
            "one for each row or column.",
            formula=r"\log p(v) = -F(v) - \log Z, \qquad "
            r"F(v) = -b\cdot v - \sum_j \log\bigl(1 + e^{c_j + (vW)_j}\bigr)",
            source="bars and stripes after MacKay, *Information Theory, Inference, and Learning Algorithms* (2003), "
            "chapter 43.",
        )
        about(
            "one update",
            "The same for every weight and bias; the last half step enters as $p(h\\mid v)$, not as a draw, which "
            "lowers the noise. The rate $\\varepsilon_t$ falls linearly to zero. Every update sees all data; CD "
            "and PCD run 96 chains.",
            formula=r"\Delta w_{ij} = \varepsilon_t\,\bigl(\langle v_i h_j\rangle_{\text{data}} - "
            r"\langle v_i h_j\rangle_{\text{machine}}\bigr)",
            source="Hinton (2002); Tieleman, *Training restricted Boltzmann machines using approximations to the "
            "likelihood gradient* (2008).",
        )
        about(
            "the gradients",
            "The angle is taken over all weights and biases at once. PCD's chains are carried along at one sweep "
            "an update, whichever method is learning. Where the gradient is nearly zero any estimate is mostly "
            "noise, and its angle says little.",
            formula=r"\angle(g, g') = \arccos \frac{g\cdot g'}{\lVert g\rVert\,\lVert g'\rVert}",
            source="Fischer and Igel, *Bounding the bias of contrastive divergence learning* (2011).",
        )
        about(
            "the landscape",
            "Rows and columns count in Gray code, so that neighbouring cells differ by one pixel. The chain meets "
            "the same random numbers in a machine of any age, so what changes is the landscape alone.",
            formula=r"F(v) = -\log \sum_h e^{-E(v,h)}, \qquad h \sim p(h \mid v), \qquad v \sim p(v \mid h)",
            source="Geman and Geman, *Stochastic relaxation, Gibbs distributions, and the Bayesian restoration of "
            "images* (1984).",
        )


def about_networks() -> None:
    """The same for the networks that came before the RBM."""
    with st.container(horizontal=True):
        about(
            "the network",
            "Squares are pixels, circles hidden units, and the ringed ones were asked last. A red wire wants both "
            "ends on together, a blue one does not. Units are 0 or 1 here, as in an RBM; Hopfield's ±1 give the "
            "same network up to a constant, with weights four times as large.",
            formula=r"E(s) = -\sum_i b_i s_i - \sum_{i<j} s_i\, w_{ij}\, s_j",
            source="Hopfield, *Neural networks and physical systems with emergent collective computational abilities* "
            "(1982); MacKay, *Information Theory, Inference, and Learning Algorithms* (2003), chapters 42 and 43.",
        )
        about(
            "the chain and its chances",
            "All states are counted, so every chance is exact; the chain is drawn with one seed. The machines "
            "have learned bars and stripes of 3 × 3 pixels by the exact gradient.",
            formula=r"p(s) = \frac{e^{-E(s)/T}}{\sum_{s'} e^{-E(s')/T}}",
            source="Ackley, Hinton and Sejnowski, *A learning algorithm for Boltzmann machines* (1985); Smolensky, "
            "*Information processing in dynamical systems* (1986), for the restriction.",
        )
        about(
            "the map of all states",
            "Rows and columns count in Gray code, so that neighbouring cells differ by one pixel.",
            formula=r"s \to \text{the state in which asking unit after unit ends}",
            source="Amit, Gutfreund and Sompolinsky, *Storing infinite numbers of patterns in a spin-glass model of "
            "neural networks* (1985), for the capacity of 0.138 N.",
        )
