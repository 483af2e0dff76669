//! One thread's listener, its connections, and the routes.

use crate::database::Database;
use crate::item::{About, Item, NewItem, Page};
use crate::log::AccessLog;
use crate::variable;
use hyper::header::{HeaderValue, CONTENT_TYPE};
use hyper::server::conn::Http;
use hyper::service::service_fn;
use hyper::{Body, Method, Request, Response, StatusCode};
use serde::Serialize;
use serde_json::json;
use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::signal::unix::{signal, SignalKind};

const LIMIT: i64 = 100;
const LIMIT_MAX: i64 = 1000;

struct Service {
    database: Database,
    log: AccessLog,
}

fn answer<Value: Serialize>(status: StatusCode, value: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(serde_json::to_vec(value).unwrap_or_default()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn refuse(status: StatusCode, detail: &str) -> Response<Body> {
    answer(status, &json!({ "status": status.as_u16(), "detail": detail }))
}

fn fail(error: tokio_postgres::Error) -> Response<Body> {
    eprintln!("database: {error}");
    refuse(StatusCode::INTERNAL_SERVER_ERROR, "database error")
}

impl Service {
    async fn health(&self) -> Response<Body> {
        let connection = self.database.reader();
        match connection.client.query_one(&connection.health, &[]).await {
            Ok(_) => answer(StatusCode::OK, &json!({ "status": "healthy" })),
            Err(_) => answer(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "unhealthy" })),
        }
    }

    async fn page(&self, query: &str) -> Response<Body> {
        let given = query.split('&').find_map(|pair| pair.strip_prefix("limit="));
        let limit = match given.map_or(Ok(LIMIT), str::parse) {
            Ok(limit) if (1..=LIMIT_MAX).contains(&limit) => limit,
            _ => return refuse(StatusCode::BAD_REQUEST, "limit is out of range"),
        };
        let connection = self.database.reader();
        match connection.client.query(&connection.page, &[&limit]).await {
            Ok(rows) => answer(StatusCode::OK, &Page { items: rows.iter().map(Item::from).collect() }),
            Err(error) => fail(error),
        }
    }

    async fn find(&self, id: &str) -> Response<Body> {
        let id: i64 = match id.parse() {
            Ok(id) => id,
            Err(_) => return refuse(StatusCode::NOT_FOUND, "no such item"),
        };
        let connection = self.database.reader();
        match connection.client.query_opt(&connection.find, &[&id]).await {
            Ok(Some(row)) => answer(StatusCode::OK, &Item::from(&row)),
            Ok(None) => refuse(StatusCode::NOT_FOUND, "no such item"),
            Err(error) => fail(error),
        }
    }

    async fn create(&self, body: Body) -> Response<Body> {
        let bytes = hyper::body::to_bytes(body).await.unwrap_or_default();
        let item = match serde_json::from_slice::<NewItem>(&bytes) {
            Ok(item) if !item.name.is_empty() => item,
            _ => return refuse(StatusCode::UNPROCESSABLE_ENTITY, "name is required"),
        };
        let connection = self.database.writer();
        match connection.client.query_one(&connection.create, &[&item.name, &item.description]).await {
            Ok(row) => answer(StatusCode::CREATED, &Item::from(&row)),
            Err(error) => fail(error),
        }
    }

    async fn respond(self: Rc<Self>, request: Request<Body>) -> Result<Response<Body>, Infallible> {
        let began = Instant::now();
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        let response = match (&head.method, path) {
            (&Method::GET, "/") => answer(StatusCode::OK, &About { service: "items", version: "1.0.0" }),
            (&Method::GET, "/health") => self.health().await,
            (&Method::GET, "/api/items") => self.page(head.uri.query().unwrap_or("")).await,
            (&Method::POST, "/api/items") => self.create(body).await,
            (&Method::GET, other) => match other.strip_prefix("/api/items/") {
                Some(id) => self.find(id).await,
                None => refuse(StatusCode::NOT_FOUND, "no such path"),
            },
            _ => refuse(StatusCode::METHOD_NOT_ALLOWED, "no such method"),
        };
        self.log.record(began, &head.method, path, response.status());
        Ok(response)
    }
}

/// Runs hyper's own tasks on the thread that asks.
#[derive(Clone)]
struct Local;

impl<Task: Future<Output = ()> + 'static> hyper::rt::Executor<Task> for Local {
    fn execute(&self, task: Task) {
        tokio::task::spawn_local(task);
    }
}

/// Every thread listens for itself: the kernel spreads the clients over them.
fn listen() -> Result<tokio::net::TcpListener, Box<dyn Error>> {
    let port = variable("PORT").map_or(Ok(5001), |port| port.parse())?;
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    socket.listen(4096)?;
    Ok(tokio::net::TcpListener::from_std(socket.into())?)
}

async fn accept(service: Rc<Service>, listener: tokio::net::TcpListener) {
    let mut http = Http::new().with_executor(Local);
    http.http1_only(true).pipeline_flush(true);
    loop {
        let socket = match listener.accept().await {
            Ok((socket, _)) => socket,
            Err(_) => continue,
        };
        let _ = socket.set_nodelay(true);
        let service = service.clone();
        let connection = http.serve_connection(socket, service_fn(move |request| service.clone().respond(request)));
        tokio::task::spawn_local(async move {
            let _ = connection.await;
        });
    }
}

async fn flush_often(service: Rc<Service>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    loop {
        ticks.tick().await;
        service.log.flush();
    }
}

/// Serves until SIGTERM or SIGINT.
pub async fn serve(connections: usize, readers: usize) -> Result<(), Box<dyn Error>> {
    let is_logging = variable("ACCESS_LOG").as_deref() != Some("0");
    let database = Database::open(connections, readers).await?;
    let service = Rc::new(Service { database, log: AccessLog::new(is_logging) });
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = accept(service.clone(), listen()?) => {}
        _ = flush_often(service.clone()) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    service.log.flush();
    Ok(())
}
