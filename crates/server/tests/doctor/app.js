// A small single-page application. WAYS says what it does wrong.
let access = null;
// Whatever is under way when one is signed out shows nothing any more.
let isOut = false;
const main = document.querySelector("main");

const call = (path, body) =>
    fetch(path, {
        method: body === undefined ? "GET" : "POST",
        credentials: "include",
        headers: {
            ...(body === undefined ? {} : { "content-type": "application/json" }),
            ...(access === null ? {} : { authorization: `Bearer ${access}` }),
        },
        body: body === undefined ? undefined : JSON.stringify(body),
    });

function keep(tokens) {
    access = tokens.access;
    if (WAYS.storage) {
        localStorage.setItem("access_token", tokens.access);
    }
    const random = "Zq8TmZ0v5rXw2LkP9aBcD3eFgH7iJ1nO";
    if (WAYS.state) {
        localStorage.setItem("auth-storage", JSON.stringify({ state: { token: random }, version: 0 }));
    }
    // No session's.
    document.cookie = `XSRF-TOKEN=${random}; Path=/; Secure; SameSite=Lax`;
    localStorage.setItem("csrf_token", random);
    localStorage.setItem("fcm_token", random);
    localStorage.setItem("push", JSON.stringify({ device: { token: random }, theme: "dark" }));
}

function signOut() {
    [access, isOut] = [null, true];
    localStorage.clear();
    history.pushState(null, "", "/sign-in");
    showForm();
}

async function refresh() {
    const answer = await call("/api/auth/refresh", {});
    if (answer.ok) {
        keep(await answer.json());
    }
    return answer.status;
}

// What the page shows of the API, and what it makes of a fault.
async function show() {
    try {
        let status = access === null ? await refresh() : 200;
        let answer = null;
        if (status === 200) {
            answer = await call("/api/me");
            status = answer.status;
        }
        if (status === 401 && answer !== null) {
            status = await refresh();
        }
        if (isOut) {
            return;
        }
        if (status === 401 || WAYS.ends.includes(status)) {
            signOut();
        } else if (answer?.ok) {
            main.textContent = `Welcome, ${(await answer.json()).email}`;
        } else {
            main.textContent = `Not available at the moment (${status})`;
        }
    } catch {
        if (WAYS.network) {
            signOut();
        } else {
            main.textContent = "There is no network";
        }
    }
}

function showForm() {
    main.innerHTML =
        '<form><input type="email" name="email" autocomplete="username"><input type="password" name="password">' +
        '<label><input type="checkbox" name="remember">Remember me</label><button type="submit">Sign in</button></form>';
    main.querySelector("form").addEventListener("submit", async (event) => {
        event.preventDefault();
        const form = new FormData(event.target);
        const answer = await call("/api/auth/login", {
            email: form.get("email"),
            password: form.get("password"),
            remember: form.get("remember") !== null,
        });
        if (answer.ok) {
            isOut = false;
            keep(await answer.json());
            history.pushState(null, "", WAYS.home);
            await show();
        }
    });
}

if (WAYS.oneTab) {
    const tabs = new BroadcastChannel("tabs");
    tabs.addEventListener("message", signOut);
    tabs.postMessage("opened");
}
addEventListener("focus", () => access !== null && show());
show();
