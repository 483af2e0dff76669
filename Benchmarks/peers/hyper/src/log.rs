//! Access lines, gathered for each thread and written out in blocks.

use hyper::{Method, StatusCode};
use std::cell::RefCell;
use std::io::Write;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

const BLOCK: usize = 64 * 1024;
const LONGEST_LINE: usize = 1024;

pub struct AccessLog {
    /// None when there shall be no log.
    lines: Option<RefCell<Vec<u8>>>,
}

impl AccessLog {
    pub fn new(is_on: bool) -> AccessLog {
        AccessLog { lines: is_on.then(|| RefCell::new(Vec::with_capacity(BLOCK))) }
    }

    pub fn record(&self, began: Instant, method: &Method, path: &str, status: StatusCode) {
        let lines = match &self.lines {
            Some(lines) => lines,
            None => return,
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let (seconds, millis) = (now.as_secs(), now.subsec_millis());
        let (status, taken) = (status.as_u16(), began.elapsed().as_secs_f64() * 1e3);
        let _ = writeln!(
            lines.borrow_mut(),
            "{{\"timestamp\":{seconds}.{millis:03},\"level\":\"INFO\",\"method\":\"{method}\",\"path\":\"{path}\",\
             \"status\":{status},\"response_time_ms\":{taken:.3}}}"
        );
        if lines.borrow().len() > BLOCK - LONGEST_LINE {
            self.flush();
        }
    }

    pub fn flush(&self) {
        if let Some(lines) = &self.lines {
            let mut lines = lines.borrow_mut();
            let _ = std::io::stdout().lock().write_all(&lines);
            lines.clear();
        }
    }
}
