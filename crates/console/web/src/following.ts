// Following the newest alert; pauses at the first input of a user.
import { byId, isTyping } from "./dom";

/** Grace period for the pointer after it was used to resume. */
const LEAVING_MS = 2_000;
/** Pixels by which an idle mouse may tremble. */
const TREMBLE_PX = 4;

const HINTS = { on: "Pauses at the first mouse or keyboard input.", paused: "Paused. Tick the box or press N to resume." };

export class Following {
  private readonly box = byId<HTMLInputElement>("follow");
  private readonly hint = byId("follow-hint");
  private resumedAt = performance.now();
  private rest: { x: number; y: number } | null = null;

  constructor(private readonly resumed: () => void) {
    this.box.addEventListener("change", () => (this.box.checked ? this.resume() : this.pause()));
    // Scrolling is not among them, since showing a row scrolls too: a user's scroll begins with one of these.
    for (const name of ["pointerdown", "wheel", "click", "focusin"]) {
      document.addEventListener(name, (event) => this.touched(event), { capture: true, passive: true });
    }
    document.addEventListener("keydown", (event) => this.touched(event), { capture: true });
    document.addEventListener("pointermove", (event) => this.moved(event), { capture: true, passive: true });
    this.say();
  }

  get on(): boolean {
    return this.box.checked;
  }

  toggle(): void {
    if (this.on) this.pause();
    else this.resume();
  }

  pause(): void {
    this.box.checked = false;
    this.say();
  }

  private resume(): void {
    this.box.checked = true;
    this.resumedAt = performance.now();
    this.rest = null;
    this.say();
    this.resumed();
  }

  private touched(event: Event): void {
    const own = event instanceof KeyboardEvent && event.key.toLowerCase() === "n" && !isTyping(event);
    // The checkbox itself states the intention, and focus restored by a re-render is not a user's.
    if (!own && this.on && !(event.target as Element).closest?.(".follow, [data-refilling]")) this.pause();
  }

  private moved({ screenX: x, screenY: y }: PointerEvent): void {
    if (!this.on || performance.now() - this.resumedAt < LEAVING_MS) return;
    this.rest ??= { x, y };
    if (Math.hypot(x - this.rest.x, y - this.rest.y) > TREMBLE_PX) this.pause();
  }

  private say(): void {
    this.hint.textContent = this.on ? HINTS.on : HINTS.paused;
    this.hint.dataset["paused"] = String(!this.on);
  }
}
