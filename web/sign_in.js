// Asks for the token where there is no session.

import { signIn, SignedOut } from "./ask.js";
import { element, text } from "./dom.js";

export class SignIn {
  constructor(onDone) {
    this.title = "Sign in";
    const token = element("input", {
      type: "password", name: "token", required: "", autocomplete: "current-password", "aria-label": "Token" });
    const problem = element("p", { class: "problem", role: "alert" });
    const form = element(
      "form", { class: "sign-in" }, text("h1", "Sign in"),
      text("p", "The token stands in the file that cloud_alertd names on its ready line, token_file=…", "quiet"), token, problem,
      element("button", { type: "submit", class: "primary" }, "Sign in"));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      try {
        await signIn(token.value.trim());
        onDone();
      } catch (error) {
        problem.textContent = error instanceof SignedOut ? "This is not the token." : error.message;
      }
    });
    this.element = element("section", {}, form);
    this.focus = () => token.focus();
  }
}
