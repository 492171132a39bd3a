// Owns: how elements are made. Texts become text nodes: what an application or a client says is never read as HTML.

export function element(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

/** Writing the same text again would make a live region say it again. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
