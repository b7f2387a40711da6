// Asks for the admin token where the hub wants one.

import { at } from "./element.js";

export class SignIn {
  #hub;

  /** `entered` is called when there are tokens to try. */
  constructor(hub, entered) {
    this.#hub = hub;
    hub.addEventListener("locked", () => this.#ask());
    at("sign-in-form").addEventListener("submit", (event) => {
      event.preventDefault();
      hub.signIn(at("admin-token").value.trim(), at("hub-token").value.trim());
      at("sign-in").close();
      entered();
    });
    at("sign-out").addEventListener("click", () => {
      hub.signOut();
      location.reload();
    });
    at("sign-in-open").addEventListener("click", () => this.#show());
    this.about();
  }

  about() {
    at("sign-in-open").hidden = true;
    at("sign-out").hidden = !this.#hub.isSignedIn;
  }

  #ask() {
    at("sign-in-open").hidden = false;
    at("sign-in-fault").textContent = this.#hub.isSignedIn ? "The hub does not take this token." : "";
    this.#show();
  }

  #show() {
    if (at("sign-in").open) return;
    at("sign-in").showModal();
    at("admin-token").focus();
  }
}
