import "./style.css";
import { begin } from "./session";

// Nothing is asked of the server before it is known who asks.
void begin().then(() => import("./main"));
