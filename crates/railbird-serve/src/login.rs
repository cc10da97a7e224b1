//! Who holds the token: a program sends it in a header, a browser exchanges it on this page for a cookie, since pages and
//! WebSockets cannot carry a header.

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use railbird_publish::BodyRule;

use crate::{Access, Token, app::App, call, reply::Refused};

/// Where the page's style lies, which needs no token either.
pub(crate) const STYLE_PATH: &str = "/login/style.css";

const COOKIE: &str = "railbird_login";

/// The form's body.
const FORM: BodyRule = BodyRule { media_type: "application/x-www-form-urlencoded", bytes_max: 4096 };

/// Whether a request carries the token or the cookie.
pub(crate) fn holds_token(token: &Token, headers: &HeaderMap) -> bool {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| {
        let (scheme, secret) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(secret)
    });
    if let Some(secret) = bearer {
        return token.is(secret);
    }
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(name, _)| *name == COOKIE).any(|(_, value)| token.is_cookie(value))
}

/// What a request without the token gets: a browser that asks for a page is shown the login page.
pub(crate) fn refusal(request: &Request) -> Response {
    let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or("");
    if request.method() == Method::GET && accept.contains("text/html") {
        return see("/login");
    }
    let message = "token: missing or wrong; send Authorization: Bearer, or log in at /login";
    let mut response = Refused::new(StatusCode::UNAUTHORIZED, message).response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// Answers `/login` and its style.
pub(crate) async fn answer(app: &App, request: Request) -> Response {
    let get = matches!(*request.method(), Method::GET | Method::HEAD);
    let style = request.uri().path() == STYLE_PATH;
    match (get, style) {
        (true, true) => typed(StatusCode::OK, "text/css; charset=utf-8", Body::from(include_str!("login.css"))),
        (true, false) => page(StatusCode::OK, "It stands in the file given to railbird serve with --token-file."),
        (false, false) if request.method() == Method::POST => {
            let deadline = app.config.limits.request_deadline;
            match tokio::time::timeout(deadline, exchange(app, request)).await {
                Ok(Ok(response)) => response,
                Ok(Err(refused)) => refused.response(),
                Err(_) => Refused::new(StatusCode::REQUEST_TIMEOUT, "body: took too long").response(),
            }
        }
        _ => Refused::new(StatusCode::METHOD_NOT_ALLOWED, "method: not allowed here").response(),
    }
}

async fn exchange(app: &App, request: Request) -> Result<Response, Refused> {
    let (parts, body) = request.into_parts();
    let body = call::body(&parts.headers, body, Some(FORM)).await?;
    let Access::Token(token) = &app.config.access else { return Ok(see("/")) };
    let given = url::form_urlencoded::parse(&body).find(|(name, _)| name == "token");
    if !given.is_some_and(|(_, secret)| token.is(&secret)) {
        app.counts.token_refused.add(1);
        return Ok(page(
            StatusCode::FORBIDDEN,
            "That is not the token. Look again in the file given with --token-file.",
        ));
    }
    let mut response = see("/");
    // Not Secure: on loopback, and behind a proxy that speaks TLS, this server itself speaks plain HTTP.
    let cookie = format!("{COOKIE}={}; Path=/; HttpOnly; SameSite=Strict; Max-Age=2592000", token.cookie());
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

fn page(status: StatusCode, hint: &str) -> Response {
    typed(status, "text/html; charset=utf-8", Body::from(include_str!("login.html").replace("{hint}", hint)))
}

fn typed(status: StatusCode, media_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn see(place: &'static str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static(place));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
