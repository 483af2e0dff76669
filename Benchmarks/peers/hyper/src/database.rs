//! The connections of one thread, each with its prepared statements.

use crate::variable;
use std::cell::Cell;
use tokio_postgres::{Client, Config, Error, NoTls, Statement};

pub struct Connection {
    pub client: Client,
    pub health: Statement,
    pub page: Statement,
    pub find: Statement,
    pub create: Statement,
}

impl Connection {
    async fn open() -> Result<Connection, Error> {
        let mut config = Config::new();
        config
            .host(&variable("DB_HOST").unwrap_or_else(|| "127.0.0.1".into()))
            .port(variable("DB_PORT").map_or(5432, |port| port.parse().expect("DB_PORT is no number")))
            .dbname(&variable("DB_NAME").unwrap_or_else(|| "items".into()))
            .user(&variable("DB_USER").unwrap_or_else(|| "items".into()));
        if let Some(password) = variable("DB_PASSWORD") {
            config.password(password);
        }
        let (client, connection) = config.connect(NoTls).await?;
        tokio::task::spawn_local(async move {
            if let Err(error) = connection.await {
                eprintln!("database connection: {error}");
            }
        });
        let columns = "id, name, description, created_at, updated_at";
        let health = client.prepare("SELECT 1").await?;
        let page = client.prepare(&format!("SELECT {columns} FROM items ORDER BY id LIMIT $1")).await?;
        let find = client.prepare(&format!("SELECT {columns} FROM items WHERE id = $1")).await?;
        let create = format!("INSERT INTO items (name, description) VALUES ($1, $2) RETURNING {columns}");
        let create = client.prepare(&create).await?;
        Ok(Connection { client, health, page, find, create })
    }
}

pub struct Database {
    connections: Vec<Connection>,
    /// Reads go round the first so many alone: fewer and fuller pipelines cost less. Writes go round all of them, so
    /// that their commits overlap.
    readers: usize,
    next: Cell<usize>,
    next_reader: Cell<usize>,
}

impl Database {
    pub async fn open(count: usize, readers: usize) -> Result<Database, Error> {
        let mut connections = Vec::new();
        for _ in 0..count {
            connections.push(Connection::open().await?);
        }
        Ok(Database { connections, readers, next: Cell::new(0), next_reader: Cell::new(0) })
    }

    pub fn writer(&self) -> &Connection {
        self.take(&self.next, self.connections.len())
    }

    pub fn reader(&self) -> &Connection {
        self.take(&self.next_reader, self.readers)
    }

    fn take(&self, next: &Cell<usize>, count: usize) -> &Connection {
        let index = next.get();
        next.set((index + 1) % count);
        &self.connections[index]
    }
}
