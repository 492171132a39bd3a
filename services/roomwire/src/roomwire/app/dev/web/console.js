// Owns: the wiring of the page.

import { Application } from "./application.js";
import { Panel } from "./panel.js";

const answer = await fetch("/target");
const target = await answer.json();

const panels = new Set();
let numbers = 0;
let served = null;

async function tokenOf(name) {
  const granted = await fetch(`/token?${new URLSearchParams({ name })}`, { method: "POST" });
  if (!granted.ok) throw new Error(`the console issues no token (${granted.status})`);
  return (await granted.json()).token;
}

function add() {
  numbers += 1;
  const panel = new Panel(document.getElementById("client"), numbers, target, {
    tokenOf,
    onRemove: () => {
      panels.delete(panel);
      document.getElementById("add").focus();
    },
  });
  panels.add(panel);
  document.getElementById("clients").append(panel.root);
  if (served) panel.know(served);
  return panel;
}

document.getElementById("add").addEventListener("click", () => add().focus());
add();

new Application(document, (application) => {
  served = application;
  for (const panel of panels) panel.know(application);
}).follow(target);
