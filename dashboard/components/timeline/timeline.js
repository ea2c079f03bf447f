// One time slider for the page. header: {steps, n_steps, steps_per_epoch, shown, follows, alive, moving, events, answers, heard, film: {number, words, file, made, failed}}
// heard: the names of the last presses of the page's buttons that reached the app; beat: another number in each refresh
// arrays: film uint8 (bytes): the file, where it was asked for
// It answers at once in the browser (the knob and the curves' cursor move), and tells the server the step wanted.

const PLAY = "M8 5v14l11-7z", PAUSE = "M6 5h4v14H6zm8 0h4v14h-4z";
const PREVIOUS = "M6 6h2v12H6zm3.5 6 8.5 6V6z", NEXT = "M16 6h2v12h-2zM6 18l8.5-6L6 6z";
const PAD = 12;
const ASK_AFTER = 10000, SAY_AFTER = 30000; // ms without a refresh
const COMMANDS = ".st-key-controls [class*='st-key-do_'] button";
// The class that Streamlit makes of a button's key.
const commandOf = (button) => [...button.closest("[class*='st-key-do_']").classList].find((name) => name.startsWith("st-key-do_"));

class Timeline {
  constructor(root) {
    this.root = root;
    this.wanted = null;  // the step last asked of the server, until it is shown
    this.playing = false;
    this.presses = [];        // those that the app has not answered yet, oldest first
    this.names = {};          // of each command's last press
    this.marked = new Set();  // buttons that may carry a mark
    this.rate = 8;
    this.build();
  }

  build() {
    const button = (path, label, act) => el("button", { title: label, "aria-label": label, onclick: act }, icon(path));
    this.playButton = button(PLAY, "Play the training as a film", () => this.toggle());
    this.speed = el("select", { "aria-label": "Film speed", title: "Film speed", onchange: () => { this.rate = Number(this.speed.value); } });
    for (const rate of [2, 4, 8, 16]) this.speed.append(el("option", { value: rate }, `${rate}/s`));
    this.speed.value = this.rate;
    this.filmPicker = el("select", { class: "film", "aria-label": "Save the training as a film", title: "Save the training as a film: one frame a snapshot, with run, step and seed beneath", onchange: () => this.film() });
    this.filmPicker.append(el("option", { value: "" }, "save film"));
    for (const subject of ["filters", "fantasies"]) for (const format of ["gif", "webp"]) {
      this.filmPicker.append(el("option", { value: `${subject} ${format}` }, `${subject}, ${format === "gif" ? "GIF" : "WebP"}`));
    }
    this.liveButton = el("button", { class: "live", onclick: () => this.go("live") });
    this.canvas = el("canvas", { role: "slider", tabindex: "0", "aria-label": "Moment of the training shown on this page", title: "A dot is a saved moment. Early steps, when most changes, lie further apart: places go by the cube root of the step" });
    this.over = null;    // the snapshot the pointer is nearest to
    this.stage = el("div", { class: "stage" }, this.canvas);
    this.moves = [
      this.playButton, button(PREVIOUS, "One snapshot back", () => this.shift(-1)), button(NEXT, "One snapshot on", () => this.shift(1))];
    this.bar = el("div", { class: "bar" }, ...this.moves,
      this.stage, this.speed, this.filmPicker, this.liveButton);
    this.silence = el("div", { class: "silence", role: "status", hidden: "" });
    this.root.append(this.bar, this.silence);
    this.observer = onResize(this, this.root);
    this.onGoto = (event) => this.go(this.nearest(event.detail.step));
    window.addEventListener("rbm-goto", this.onGoto);
    this.onPress = (event) => this.press(event.target.closest && event.target.closest(COMMANDS));
    document.addEventListener("click", this.onPress, true);
    this.last = performance.now();
    this.watch = setInterval(() => this.listenFor(), 1000);
    this.listen();
  }

  close() {
    this.observer.disconnect();
    window.removeEventListener("rbm-goto", this.onGoto);
    document.removeEventListener("click", this.onPress, true);
    this.presses = [];
    this.mark();
    clearTimeout(this.timer);
    clearInterval(this.filmTimer);
    clearInterval(this.watch);
  }

  // A button of the page was pressed: it is marked at once, and until the app names the press among those it heard.
  // Each press has a name of its own: Streamlit sends a press twice where its timer falls between click and sending.
  press(button) {
    if (!button || !this.h) return;
    const command = commandOf(button), name = `${Date.now()} ${Math.random()}`;
    this.names[command.replace("st-key-", "")] = name;
    this.say("press", { ...this.names });
    this.presses.push({ command, name, words: button.innerText.trim(), at: performance.now(), refreshes: 0 });
    this.mark();
  }
  answerPresses() {
    const heard = new Set(this.h.heard), open = this.presses.filter((press) => !heard.has(press.name));
    for (const press of open) press.refreshes += 1;
    // Refreshes that came well after a press and know nothing of it: it was lost on the way.
    const lost = open.filter((press) => press.refreshes >= 6 && performance.now() - press.at >= 6000);
    const answered = this.presses.length - open.length + lost.length;
    this.presses = open.filter((press) => !lost.includes(press));
    this.mark();
    if (!answered) return;
    this.lostPress = lost.map((press) => `“${press.words}” did not reach the app: press it again.`).join(" ");
    if (lost.length) setTimeout(() => { this.lostPress = ""; this.listenFor(); }, 8000);
    this.listenFor();
  }
  // A button is known by its command and never by its element: Streamlit takes the element of a button that comes and
  // goes out of the page and puts the same one back later. So elements that left the page marked are looked at too.
  mark() {
    const asked = new Set(this.presses.map((press) => press.command));
    for (const button of document.querySelectorAll(COMMANDS)) this.marked.add(button);
    for (const button of this.marked) {
      const mark = asked.has(commandOf(button));
      button.toggleAttribute("data-asked", mark);
      if (!mark) this.marked.delete(button);
    }
  }
  // A page that hears nothing asks, and says so where nothing comes back for long; nothing on it moves for that. A
  // machine that starts a trainer may well keep the app from a word for ten seconds: that is no news.
  listenFor() {
    const now = performance.now();
    if (document.visibilityState !== "visible") this.last = now; // a hidden tab is refreshed rarely
    const quiet = now - this.last;
    if (quiet > ASK_AFTER && now - (this.woken || 0) > ASK_AFTER) {
      this.woken = now;
      this.ask("wake", 1);
    }
    const words = quiet > SAY_AFTER ? `No word from the app for ${Math.round(quiet / 1000)} s: it is very busy, or gone. What you see is from then.` : this.lostPress || "";
    this.silence.hidden = !words;
    if (this.silence.textContent !== words) this.silence.textContent = words;
  }

  // A film is made beside the server while the page goes on; each refresh says how far it is, and the view takes
  // the file once.
  film() {
    const [subject, format] = this.filmPicker.value.split(" ");
    if (this.filming) this.filmPicker.value = ""; // one at a time
    if (!format || this.filming) return;
    this.filming = Date.now();
    this.filmWish = { subject, format, number: this.filming };
    this.ask("film", this.filmWish);
    this.filmWords("starting …");
    clearInterval(this.filmTimer);
    this.filmTimer = setInterval(() => this.ask("film", this.filmWish), 4000); // until it is answered
  }
  filmWords(words) {
    this.filmPicker.options[0].textContent = words || "save film";
    this.filmPicker.value = "";
    this.filmPicker.classList.toggle("busy", Boolean(words));
    this.filmPicker.setAttribute("aria-busy", String(Boolean(words)));
  }
  endFilm() {
    clearInterval(this.filmTimer);
    this.filming = undefined;
    this.filmWords("");
  }
  receiveFilm(film, bytes) {
    if (!film || film.number !== this.filming) return;
    if (film.failed) return this.endFilm(); // the page says why
    if (!bytes) {
      this.filmWords(`film: ${film.made ? "saving" : film.words}`);
      if (!film.made) clearInterval(this.filmTimer);
      else if (!this.filmWish.take) {
        this.filmWish = { take: this.filming };
        this.ask("film", this.filmWish);
        clearInterval(this.filmTimer);
        this.filmTimer = setInterval(() => this.ask("film", this.filmWish), 4000);
      }
      return;
    }
    download(new Blob([bytes], { type: `image/${film.file.split(".").pop()}` }), film.file);
    this.ask("film", { got: this.filming });
    this.endFilm();
  }

  receive({ header, arrays }) {
    this.h = header;
    this.last = performance.now();
    this.answerPresses();
    if (!this.silence.hidden) this.listenFor();
    this.receiveFilm(header.film, arrays.film);
    if (this.asked !== undefined) {
      // An answer to the newest question, or a reader elsewhere (a link, another control) moved the page.
      if (header.answers !== this.asked) return;
      this.asked = undefined;
      if (this.next !== undefined) { const step = this.next; this.next = undefined; this.send(step); return; }
    }
    this.wanted = null;
    if (this.playing) this.schedule();
  }

  get step() { return this.wanted !== null && this.wanted !== "live" ? this.wanted : this.h.shown; }
  get follows() { return this.wanted !== null ? this.wanted === "live" : this.h.follows; }

  // Ask the server for a moment; while it answers, only the newest further wish is kept.
  send(step) {
    this.wanted = step;
    if (this.asked !== undefined) { this.next = step; return; }
    this.count = (this.count || 0) + 1;
    this.asked = `${step}#${this.count}`;
    this.sent = performance.now();
    this.say("at", { step, nonce: this.asked, playing: this.playing });
    clearTimeout(this.lost);
    this.lost = setTimeout(() => { this.asked = undefined; this.wanted = null; this.playing = false; this.draw(); }, 15000);
  }
  go(step, keepPlaying) {
    if (!this.h || !this.h.steps.length) return;
    if (!keepPlaying) this.playing = false;
    this.send(step);
    window.dispatchEvent(new CustomEvent("rbm-moment", { detail: { step: step === "live" ? this.h.newest : step } }));
    this.draw();
  }
  index() {
    const { steps } = this.h;
    let i = 0;
    while (i + 1 < steps.length && steps[i + 1] <= this.step) i++;
    return i;
  }
  shift(by) {
    const { steps } = this.h, i = this.index();
    // Between two snapshots (the live state), one back is the snapshot before it.
    const to = by < 0 && steps[i] < this.step ? i : i + by;
    if (to >= 0 && to < steps.length) this.go(steps[to]);
  }
  nearest(step) {
    return this.h.steps.reduce((best, s) => (Math.abs(this.place(s) - this.place(step)) < Math.abs(this.place(best) - this.place(step)) ? s : best), this.h.steps[0]);
  }
  toggle() {
    this.playing = !this.playing;
    clearTimeout(this.timer);
    if (this.playing) {
      const { steps } = this.h;
      if (this.index() >= steps.length - 1 || this.follows) this.go(steps[0], true); else this.schedule();
    }
    this.draw();
  }
  schedule() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (!this.playing) return;
      const i = this.index(), { steps } = this.h;
      if (i + 1 >= steps.length) { this.playing = false; this.go("live"); } else this.go(steps[i + 1], true);
    }, Math.max(0, 1000 / this.rate - (performance.now() - (this.sent || 0))));
  }

  // Early steps change most, and snapshots are dense there: the cube root spreads them evenly,
  // and positions stay where they are while the run grows, because they depend on its planned length.
  place(step) {
    const span = Math.max(this.h.n_steps || 0, this.h.newest || 0, 1);
    return PAD + Math.cbrt(Math.max(0, step) / span) * (this.width - 2 * PAD);
  }

  draw() {
    if (!this.ink || !this.h) return;
    const { h, ink } = this;
    const word = h.alive ? "live" : "end";
    this.liveButton.replaceChildren(el("span", { class: h.moving ? "dot on" : "dot" }), word);
    this.liveButton.title = h.alive ? "Follow the newest state" : "Go to the last state of this run";
    this.liveButton.setAttribute("aria-pressed", String(this.follows));
    this.playButton.replaceChildren(icon(this.playing ? PAUSE : PLAY));
    const label = this.playing ? "Pause the film" : "Play the training as a film";
    this.playButton.title = label;
    this.playButton.setAttribute("aria-label", label);
    this.playButton.setAttribute("aria-pressed", String(this.playing));
    for (const control of [...this.moves, this.filmPicker]) control.disabled = h.steps.length < 2;
    this.bar.classList.toggle("narrow", this.root.clientWidth < 620 * textScale()); // then the slider has a line of its own
    this.width = Math.floor(this.stage.clientWidth / textScale());
    if (!this.width) return;
    const height = 46, y = 18, ctx = sharpen(this.canvas, this.width, height, textScale());
    const bar = (from, to, colour, alpha) => {
      ctx.globalAlpha = alpha;
      ctx.strokeStyle = colour;
      ctx.lineWidth = 4;
      ctx.lineCap = "round";
      ctx.beginPath();
      ctx.moveTo(from, y);
      ctx.lineTo(to, y);
      ctx.stroke();
      ctx.globalAlpha = 1;
    };
    bar(PAD, this.width - PAD, ink.line, 1);
    bar(PAD, this.place(h.newest), ink.accent, 0.45);
    ctx.fillStyle = ink.accent;
    for (const s of h.steps) { ctx.beginPath(); ctx.arc(this.place(s), y, 2.4, 0, 7); ctx.fill(); }
    for (const event of h.events) {
      const x = this.place(event.step);
      ctx.fillStyle = ink.lines.purple;
      ctx.beginPath();
      ctx.moveTo(x - 4, 3);
      ctx.lineTo(x + 4, 3);
      ctx.lineTo(x, 10);
      ctx.fill();
    }
    ctx.font = `11px ${ink.font}`;
    ctx.fillStyle = ink.text;
    ctx.textAlign = "center";
    ctx.globalAlpha = 0.7;
    let edge = -1e9;
    const unit = h.steps_per_epoch || 1, span = Math.max(h.n_steps || 0, h.newest || 0, 1);
    const epochs = [0, 0.1, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].filter((e) => e * unit < span * 0.93).concat(span / unit);
    const asked = this.wanted === "live" ? h.newest : this.wanted; // said at once; the pictures follow
    if (asked !== null) this.sayAt(ctx, asked, this.wanted === "live" ? ` · ${word} …` : " …");
    else if (this.over !== null) this.sayAt(ctx, this.over);
    else for (const e of epochs) {
      const x = this.place(e * unit), text = e === 0 ? "start" : `epoch ${pretty(e, 3)}`, half = ctx.measureText(text).width / 2;
      const at = Math.min(Math.max(x, half), this.width - half);
      if (at - half < edge + 10 || (e !== epochs[epochs.length - 1] && at + half > this.width - 70)) continue;
      ctx.fillText(text, at, 42);
      edge = at + half;
    }
    ctx.globalAlpha = 1;
    if (this.step !== null && this.step !== undefined) {
      const x = this.place(this.step);
      ctx.fillStyle = ink.paper;
      ctx.strokeStyle = ink.accent;
      ctx.lineWidth = 3;
      ctx.beginPath();
      ctx.arc(x, y, 8, 0, 7);
      ctx.fill();
      ctx.stroke();
    }
    this.canvas.setAttribute("aria-valuemin", "0");
    this.canvas.setAttribute("aria-valuemax", String(h.newest));
    this.canvas.setAttribute("aria-valuenow", String(this.step));
    this.canvas.setAttribute("aria-valuetext", `step ${this.step}${this.follows ? ", " + word : ""}`);
  }

  // What the pointer is at, or was asked for, in place of the epochs beneath the bar.
  sayAt(ctx, step, more = "") {
    const { h } = this, x = this.place(step);
    const here = h.events.filter((e) => Math.abs(this.place(e.step) - x) < 5).map((e) => e.label);
    const words = [`step ${pretty(step)}`, `epoch ${pretty(step / (h.steps_per_epoch || 1), 3)}`, ...new Set(here)].join(" · ") + more;
    const half = ctx.measureText(words).width / 2;
    ctx.globalAlpha = 1;
    ctx.fillText(words, Math.min(Math.max(x, half), this.width - half), 42);
    ctx.globalAlpha = 0.7;
  }

  listen() {
    const across = (event) => (event.clientX - this.canvas.getBoundingClientRect().left) / textScale();
    const at = (event) => {
      const x = across(event);
      return this.h.steps.reduce((best, s) => (Math.abs(this.place(s) - x) < Math.abs(this.place(best) - x) ? s : best), this.h.steps[0]);
    };
    const beyond = (event) => across(event) > this.place(this.h.newest) + 6;
    this.canvas.addEventListener("pointerdown", (event) => {
      if (!this.h || !this.h.steps.length || event.button) return;
      this.canvas.setPointerCapture(event.pointerId);
      this.dragging = true;
      this.go(beyond(event) ? "live" : at(event));
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (!this.h || !this.h.steps.length) return;
      const step = at(event);
      if (this.dragging && step !== this.step) this.go(beyond(event) ? "live" : step);
      this.over = step;
      this.draw();
    });
    this.canvas.addEventListener("pointerup", () => { this.dragging = false; });
    this.canvas.addEventListener("pointerleave", () => { this.over = null; this.draw(); });
    this.canvas.addEventListener("keydown", (event) => {
      const { steps } = this.h;
      const act = { ArrowLeft: () => this.shift(-1), ArrowRight: () => this.shift(1), Home: () => this.go(steps[0]),
        End: () => this.go("live"), " ": () => this.toggle() }[event.key];
      if (act) { event.preventDefault(); act(); }
    });
  }
}

export default function (component) { return show(component, Timeline); }
