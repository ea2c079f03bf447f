"""Gibbs chains recorded for a page to play: states, free energies, distances, nearest images, and a map of them all.

`film(meta, arrays)` answers one request. Its result, for S sweeps of B chains (V visible, H hidden units), is a header
of words and sizes and these arrays:

- v_bits (S + 1, B, ⌈V/8⌉) and h_bits (S, B, ⌈H/8⌉): the states, np.packbits rows; v_bits[0] is the start
- v_half, h_half: in their place where states are real numbers, the states in half precision
- y_half (S + 1, B, K): the states of the label units in half precision, of a model that has them; y_half[0] is drawn
  from p(y | v) of the start
- v_start (B, V): the start in half precision if the states are binary and the start is not
- free_energy (S + 1, B): F(v) in nats at temperature 1, under the model that drew v, labels summed out
- distance (S + 1, B): the number of pixels that differ from `clean`, both cut at one half
- clean (B, V) uint8: the pictures that the chains start from, before anything was inverted or let loose
- map_points (N, 2), map_labels (N,), map_path (S + 1, B, 2), if asked for: p(h|v) of training images and of the chains'
  states, on the first two principal components of the training images' p(h|v)
- near_distance (K, B) uint16, near_number (K, B) uint32, if asked for: how many pixels the state after every
  `every`-th sweep (header.nearest) differs from the nearest training image cut at one half, and that image's number;
  near_numbers (U,), near_bits (U, ⌈V/8⌉), near_labels (U,): the images met, by number; label 255 means none
- beta (S,): the inverse temperature of each sweep
- held (⌈V/8⌉,): the pixels held fixed, if there are any
- pixel_mean, pixel_std (V,): the scale of Gaussian visible units

`ladder_film(meta, arrays)` answers a request for a ladder of the run's past models; see there.
Half precision travels as its uint16 bit pattern, which a browser can read.
"""

from rbm_core.trajectory.film import film
from rbm_core.trajectory.ladder import ladder_film

__all__ = ["film", "ladder_film"]
