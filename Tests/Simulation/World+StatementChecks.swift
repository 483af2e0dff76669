import Postgres
import Vial

// The invariants of statements: what the pool says about them is compared with what the server did.
extension World {
    /// Checks the outcome that the pool reports for a statement.
    func checkOutcome(_ statement: Int, _ error: DatabaseError?) {
        checkTime(of: statement)
        if let error { return checkFailure(statement, error) }
        let record = statements[statement]
        if !record.hasResult { fail(.unsynced, "statement \(statement) is answered without a result") }
        if record.run != .confirmed { fail(.unsynced, "statement \(statement) is answered before its Sync") }
        switch record.kind {
        case .insert where calls[record.call].stage == .body: break
        case .insert, .update:
            checkCommitted(statement)
        case .commit: checkCommitted(calls[record.call].effect)
        case .read, .begin, .rollback: break
        }
    }

    private func checkCommitted(_ statement: Int) {
        let record = statements[statement]
        if record.commits != 1 {
            fail(.lostWrite, "statement \(statement) is acknowledged, and was committed \(record.commits) times")
        }
        if record.isDoubtful {
            fail(.lostWrite, "statement \(statement) is acknowledged, and the standby may not have it")
        }
    }

    private func checkTime(of statement: Int) {
        let record = statements[statement]
        let patience = Self.slack + pausedTime
        // A transaction's statement is held while a cancel request is under way, which may take long.
        let isOfTransaction = calls[record.call].stage.isOfTransaction
        if isOfTransaction {
            if now > record.deadline + Self.cancelPatience + Self.cancelGrace + patience {
                fail(
                    .late,
                    "statement \(statement) of a transaction is answered \(now - record.deadline) ns after its deadline"
                )
            }
            return
        }
        if !record.isSent, now > record.submitted + life.waitTimeout + patience {
            fail(.late, "statement \(statement) waited \(now - record.submitted) ns for a connection")
        }
        if now > record.deadline + patience {
            fail(.late, "statement \(statement) is answered \(now - record.deadline) ns after its deadline")
        }
    }

    private func checkFailure(_ statement: Int, _ error: DatabaseError) {
        let record = statements[statement]
        seeFailure(error)
        if Faults.isCertainlyUndone(error), record.commits > 0 {
            fail(.status, "statement \(statement) fails with \(error), and is committed")
        }
        guard case .server(let server) = error, !calls[record.call].stage.isOfTransaction else { return }
        let mayRunAgain = record.sends <= life.maximum + 1 && phase != .ended
        switch server.sqlState {
        case "23514":
            if record.plan.verdict != .fails && record.plan.verdict != .failsAtCommit || !record.kind.isWrite {
                fail(.status, "statement \(statement) fails with another one's \(error)")
            }
        case "40001":
            if record.plan.verdict != .conflicts {
                fail(.status, "statement \(statement) fails with another one's \(error)")
            }
        case "57014":
            // When the statement ran for as long as the server allows, the two causes cannot be told apart.
            if record.isStoppedByService, mayRunAgain, now < record.lastSent + life.statementTimeout {
                fail(.status, "statement \(statement) was stopped in another one's place, and fails")
            }
        case "0A000":
            if mayRunAgain { fail(.status, "statement \(statement) did not run again on another connection") }
        case "25006":
            if !record.kind.isWrite {
                fail(.status, "statement \(statement), a read, fails with another one's \(error)")
            }
            pools[record.pool].metReadOnly = true
        default: break
        }
    }

    private func seeFailure(_ error: DatabaseError) {
        switch error {
        case .deadlineExceeded: see(.deadlinePassed)
        case .waitTimedOut: see(.waitTimedOut)
        case .queueFull: see(.queueFull)
        case .unconfirmed: see(.unconfirmed)
        default: break
        }
    }

    /// Checks that the pool may send a statement now.
    func checkSending(_ statement: Int, isOfTransaction: Bool) {
        let record = statements[statement]
        if record.kind.isWrite, record.run == .open || record.run == .confirmed {
            fail(.ranAgain, "statement \(statement), a \(record.kind), is sent again after it may have run")
        }
        if record.isAnswered { fail(.answeredTwice, "statement \(statement) is sent though it is answered") }
        if record.hasResult {
            fail(.unsynced, "statement \(statement) is sent again with the result of an earlier run")
        }
        if record.isSent { see(.ranAgain) }
        if !isOfTransaction, now >= record.deadline {
            fail(.late, "statement \(statement) is sent \(now - record.deadline) ns after its deadline")
        }
        // Once per loss of its connection, once alone, and once without memory for its result.
        if record.sends > life.maximum + 1 + 3 { fail(.bounds, "statement \(statement) is sent \(record.sends) times") }
    }

    /// The pool queues a statement again that certainly had no effect.
    func undone(_ statement: Int) {
        let record = statements[statement]
        if record.isAnswered { fail(.answeredTwice, "statement \(statement) waits again though it is answered") }
        statements[statement].hasResult = false
        guard record.kind.isWrite else { return }
        if record.run != .undone {
            fail(.ranAgain, "statement \(statement), a \(record.kind), counts as undone, and may have run")
        }
        if record.commits > 0 { fail(.twice, "statement \(statement) counts as undone, and is committed") }
    }

    /// A connection was given up with statements in flight.
    func noteLoss(_ link: Link) {
        for statement in link.inTransaction { noteLoss(of: statement) }
        for expected in link.expected[link.answered...] {
            switch expected {
            case .statement(let statement): noteLoss(of: statement)
            case .group(let start, let count):
                for statement in groups[start..<start + count] { noteLoss(of: statement) }
            case .sync: break
            }
        }
    }

    private func noteLoss(of statement: Int) {
        if statements[statement].kind.isWrite, statements[statement].commits > 0 { see(.lostAfterCommit) }
    }
}
