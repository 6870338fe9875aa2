(() => {
  const seen = (input) => input.getClientRects().length > 0 && getComputedStyle(input).visibility !== 'hidden';
  const all = (selector, within) => [...(within || document).querySelectorAll(selector)].filter(seen);
  // A form that asks who it is and for a password; one that asks for passwords alone changes one.
  const form = () => {
    for (const password of all('input[type=password]')) {
      const name = all('input[type=email],input[type=text],input[type=tel],input:not([type])', password.form)[0];
      if (name) return { name, password };
    }
    return null;
  };
  const read = (text) => {
    try {
      return JSON.parse(text);
    } catch {
      return null;
    }
  };
  // What is said with a token's name, in a text or anywhere in a value that is kept as JSON.
  const named = (key, value) => {
    const inner = typeof value === 'string' ? read(value) : value;
    if (inner !== null && typeof inner === 'object')
      return Object.entries(inner).some(([name, of]) => named(`${key}.${name}`, of));
    return (
      /(^|[_.-]|refresh|access|auth|id)token|jwt/i.test(key) &&
      !/x?csrf|xsrf|fcm|push|device/i.test(key) &&
      /^"?[\w.~+/=-]{20,}"?$/.test(value)
    );
  };
  const looks = (key, value) =>
    /eyJ[\w-]{6,}\.[\w-]{6,}\.[\w-]+/.test(value) || /tnr1_[\w-]{20,}/.test(value) || named(key, value);
  const kept = () => {
    const found = [];
    for (const [name, storage] of [['localStorage', localStorage], ['sessionStorage', sessionStorage]])
      for (const key of Object.keys(storage)) if (looks(key, storage.getItem(key))) found.push(`${name} ${key}`);
    for (const pair of document.cookie.split('; ')) {
      const [key, ...rest] = pair.split('=');
      if (looks(key, rest.join('='))) found.push(`document.cookie ${key}`);
    }
    return found;
  };
  const type = (field, text) => {
    field.focus();
    field.select();
    document.execCommand('insertText', false, text);
  };
  return {
    state: () => ({
      ready: document.readyState === 'complete',
      form: form() !== null,
      href: location.href,
      origin: location.origin,
    }),
    // Where it is and what is typed are one step, so that no page comes in between.
    fill: (origin, name, password) => {
      if (location.origin !== origin) return false;
      type(form().name, name);
      type(form().password, password);
      return true;
    },
    password: () => { form().password.focus(); },
    remember: () => {
      for (const box of all('input[type=checkbox]')) {
        const words = [box.name, box.id, box.closest('label')?.textContent, ...[...(box.labels || [])].map((label) => label.textContent)];
        if (!box.checked && /remember|angemeldet|keep|stay/i.test(words.join(' '))) box.click();
      }
    },
    kept,
  };
})()
