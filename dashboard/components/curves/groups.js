// Which curves stand together, what they are called, and what they mean.

/**
 * @typedef {object} Line
 * @property {string} column of the recorded rows
 * @property {string} label
 * @property {string} colour of the palette
 * @property {number} [estimate] which of an estimate's numbers belongs to the same curve, drawn as dots
 * @property {number[]} [dash]
 */
/**
 * @typedef {object} Panel
 * @property {string} title with its unit
 * @property {number} share of the height, beside the group's other panels
 * @property {Line[]} lines
 * @property {boolean} [zero] the scale begins at zero
 * @property {boolean} [log]
 * @property {number} [guide] a value that a dashed line marks
 */
/** @typedef {{ label: string, panels: Panel[], note: string, optional?: boolean }} Group optional: has a tab only where the run recorded it */

/**
 * @param {string} column
 * @param {string} label
 * @param {string} colour
 * @returns {Line}
 */
const line = (column, label, colour) => ({ column, label, colour });

/** @type {Record<string, Group>} */
export const GROUPS = {
  energy: {
    label: "Free energy",
    panels: [
      {
        title: "free energy F(v), nats",
        share: 3,
        lines: [
          line("free_energy_train", "training", "blue"),
          line("free_energy_valid", "validation", "orange"),
          line("free_energy_fantasy", "fantasies", "green"),
        ],
      },
      {
        title: "gap: validation − training, nats",
        share: 2,
        zero: true,
        lines: [line("free_energy_gap", "gap", "purple")],
      },
    ],
    note: "Lower means the model finds such images more probable, 2.7 times (e) for each nat. Only differences count: a growing gap means overfitting.",
  },
  likelihood: {
    label: "Likelihood",
    panels: [
      {
        title: "log-likelihood log p(v), nats per image",
        share: 3,
        lines: [
          { ...line("log_likelihood_train", "log p, training", "blue"), estimate: 1 },
          { ...line("log_likelihood_valid", "log p, validation", "orange"), estimate: 2 },
          { ...line("log_likelihood_test", "log p, test", "purple"), estimate: 3 },
        ],
      },
      {
        title: "pseudo-likelihood, nats per image",
        share: 2,
        lines: [
          { ...line("pseudo_likelihood_train", "pseudo, training", "blue"), dash: [5, 3] },
          { ...line("pseudo_likelihood_valid", "pseudo, validation", "orange"), dash: [5, 3] },
        ],
      },
    ],
    note:
      "Higher is better. The log-likelihood log p(v) needs log Z: dots are estimates made on the page Evaluate, a line is what the run " +
      "itself followed; bars and bands are ± 1 standard error. The pseudo-likelihood guesses one pixel from all the others: cheap, but blind to the overall shape.",
  },
  reconstruction: {
    label: "Reconstruction",
    panels: [
      {
        title: "mean squared error per pixel",
        share: 1,
        lines: [line("reconstruction_error", "training", "vermillion")],
      },
    ],
    note:
      "How well one step down and up returns the image. Beware: it also falls when the chain mixes badly, " +
      "and it is not what training minimises. Never judge a model by it alone.",
  },
  weights: {
    label: "Weights",
    panels: [
      { title: "‖W‖", share: 1, lines: [line("weight_norm", "norm of the weights", "blue")] },
      {
        title: "‖ΔW‖ / ‖W‖",
        share: 1,
        log: true,
        guide: 1e-3,
        lines: [line("update_ratio", "update / weight ratio", "vermillion")],
      },
    ],
    note: "How large the weights are, and how large each update is beside them. About 1e-3 (the dashed line) is a healthy pace.",
  },
  activity: {
    label: "Activity",
    panels: [
      {
        title: "fraction",
        share: 1,
        lines: [
          line("mean_activation", "mean hidden activation", "blue"),
          line("flips_per_sweep", "pixels flipped by a sweep", "green"),
        ],
      },
      {
        title: "hidden units",
        share: 1,
        zero: true,
        lines: [line("dead_units", "dead", "vermillion"), line("saturated_units", "always on", "orange")],
      },
    ],
    note: "How often hidden units are on, how many never or always are, and how much the fantasy chains still move.",
  },
  labels: {
    label: "Labels",
    panels: [
      {
        title: "share of images named wrongly",
        share: 3,
        zero: true,
        lines: [
          line("label_error_train", "error, training", "blue"),
          line("label_error_valid", "error, validation", "orange"),
          line("label_error_test", "error, test", "purple"),
        ],
      },
      {
        title: "log p(label | image), nats per image",
        share: 2,
        lines: [
          line("label_log_p_train", "log p(y | v), training", "blue"),
          line("label_log_p_valid", "log p(y | v), validation", "orange"),
          line("label_log_p_test", "log p(y | v), test", "purple"),
        ],
      },
    ],
    note: "Of at most 1,000 images of each part: how many the label units name wrongly, and how probable they find the right label.",
    optional: true,
  },
  layer: {
    label: "Layer",
    panels: [
      {
        title: "hidden units",
        share: 1,
        zero: true,
        lines: [
          line("units_in_use", "in use", "blue"),
          line("units_taking_part", "taking part in an image", "orange"),
        ],
      },
    ],
    note: "How the layer of ordered hidden units grows, and how many of its units an image of the training subset needs on average.",
    optional: true,
  },
  ladder: {
    label: "Ladder",
    panels: [
      {
        title: "share of exchanges accepted",
        share: 1,
        zero: true,
        lines: [
          line("exchanges_least", "where least", "vermillion"),
          line("exchanges_model", "last rung with the model", "blue"),
        ],
      },
    ],
    note: "How often neighbours on the ladder exchange states: where it is near zero, no fresh state passes.",
    optional: true,
  },
  pace: {
    label: "Pace",
    panels: [
      {
        title: "learning rate",
        share: 1,
        zero: true,
        lines: [line("learning_rate", "learning rate", "blue")],
      },
      { title: "steps / s", share: 1, zero: true, lines: [line("steps_per_s", "speed", "green")] },
    ],
    note: "How far each update goes, and how many updates a second the trainer makes.",
  },
};

/** @type {Record<string, string>} the axes across and their titles */
export const AXES = { step: "step", epoch: "epoch", time: "training time, s" };
