// The gate between a page's components and the program: Streamlit loads each component's script on
// its own and in any order. A deck on the page is a few lines that wait until the program is there.

export const gate = (window.digitalDjGate ??= (() => {
  let open
  const opened = new Promise((resolve) => { open = resolve })
  return { open, opened }
})())
