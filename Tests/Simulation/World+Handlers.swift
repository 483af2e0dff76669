import Platform
import Postgres

// What handlers do: run statements on the pool of their loop, and answer with the outcome.
extension World {
    func call(_ client: Client, _ number: Int) {
        let request = life.requests[number]
        // The deadline of the handler's statements; the server waits a little longer for its response.
        let deadline = now + life.requestTimeout
        var call = Call(
            client: client.index, connection: client.connection, request: number, stage: .statement, deadline: deadline)
        let index = calls.count
        switch request.kind {
        case .find, .list, .create, .update:
            let kind: StatementRecord.Kind =
                switch request.kind {
                case .create: .insert
                case .update: .update
                default: .read
                }
            call.statement = ask(kind, call: index, plan: request.statement, pool: client.index % pools.count)
            call.effect = call.statement
            calls.append(call)
            statements[call.statement].mayBeGrouped = request.kind == .find || request.kind == .create
            submit(call.statement, until: deadline)
        case .transaction:
            call.stage = .lease
            calls.append(call)
            let lease = PoolState.Lease(
                id: UInt64(index), enqueued: Instant(nanoseconds: now),
                deadline: Instant(nanoseconds: min(now + life.waitTimeout, deadline)))
            drive(pools[client.index % pools.count], .leaseWanted(lease))
        case .task:
            call.stage = .task
            calls.append(call)
            queue.schedule(.taskEnds(call: index), at: now + request.duration)
        case .root, .unknown, .refused, .malformed: fatalError("\(request.kind) is answered at once")
        }
    }

    private func ask(_ kind: StatementRecord.Kind, call: Int, plan: Life.StatementPlan, pool: Int) -> Int {
        var record = StatementRecord()
        record.kind = kind
        record.call = call
        record.plan = plan
        record.pool = pool
        record.submitted = now
        statements.append(record)
        statementCount += 1
        return statements.count - 1
    }

    private func value(_ statement: Int, until expiry: Moment) -> PoolState.Request {
        let record = statements[statement]
        let kind: Statement.Kind =
            switch record.kind {
            case .read: .read
            case .insert: .insert
            case .update, .begin, .commit, .rollback: .update
            }
        let deadline = min(expiry, now + life.statementTimeout + 500 * .millisecond)
        statements[statement].deadline = deadline
        return PoolState.Request(
            id: UInt64(statement), kind: kind, isLookup: record.kind == .read && record.mayBeGrouped,
            rows: record.plan.rows, parameterByteCount: record.kind == .read ? 8 : record.plan.parameterBytes,
            enqueued: Instant(nanoseconds: now), deadline: Instant(nanoseconds: deadline))
    }

    private func submit(_ statement: Int, until expiry: Moment) {
        let pool = pools[statements[statement].pool]
        let isFull = pool.state.load.waiting >= life.queueLimit
        let hasMemory = !(life.memoryShortage > 0 && dice.percent(life.memoryShortage))
        if !hasMemory { see(.noMemory) }
        drive(pool, .submitted(value(statement, until: expiry), hasMemory: hasMemory))
        if isFull, !statements[statement].isAnswered {
            fail(.bounds, "pool \(pool.index): more than \(life.queueLimit) wait")
        }
    }

    // MARK: answers of the pool

    /// The pool reports the outcome of a statement.
    func answered(_ statement: Int, _ error: DatabaseError?) {
        if statements[statement].isAnswered {
            return fail(.answeredTwice, "statement \(statement) is answered a second time")
        }
        statements[statement].isAnswered = true
        let record = statements[statement]
        checkOutcome(statement, error)
        if calls[record.call].stage.isOfTransaction {
            // The waiting task resumes as a job of the loop.
            return pools[record.pool].inbox.append(.ended(statement: statement, error))
        }
        if error == nil, record.plan.fallsBack { return fallBack(record) }
        end(record.call, status(of: error, success: record.kind == .insert ? 201 : 200))
    }

    /// The rows are not enough: another statement answers in place of this one.
    private func fallBack(_ record: StatementRecord) {
        see(.fellBack)
        var plan = record.plan
        plan.fallsBack = false
        let statement = ask(.read, call: record.call, plan: plan, pool: record.pool)
        calls[record.call].statement = statement
        calls[record.call].effect = statement
        submit(statement, until: record.deadline)
    }

    /// The task of a transaction resumes with the outcome of its statement.
    func transactionGoesOn(_ statement: Int, _ error: DatabaseError?) {
        let record = statements[statement]
        switch calls[record.call].stage {
        case .begin: if let error { rollBack(record.call, error) } else { runBody(record.call) }
        case .body: if let error { rollBack(record.call, error) } else { runCommit(record.call) }
        case .commit: if let error { rollBack(record.call, error) } else { giveBack(record.call, 201) }
        case .rollback: giveBack(record.call, calls[record.call].failure)
        case .statement, .lease, .task: fatalError("a statement of no transaction ended as one")
        }
    }

    private func status(of error: DatabaseError?, success: Int) -> Int {
        guard let error else { return success }
        switch error.errorClass {
        case .constraint: return 409
        case .timeout, .cancelled: return 504
        case .result: return 500
        default: return 503
        }
    }

    /// The task of a transaction resumes with its connection.
    func lent(_ connection: Int, to call: Int) {
        see(.leased)
        calls[call].lent = connection
        calls[call].stage = .begin
        run(call, .begin, frame())
    }

    func refused(_ call: Int, _ error: DatabaseError) {
        end(call, status(of: error, success: 0))
    }

    private func run(_ call: Int, _ kind: StatementRecord.Kind, _ plan: Life.StatementPlan) {
        guard let connection = calls[call].lent else { fatalError("a transaction without a connection") }
        let pool = clients[calls[call].client].index % pools.count
        let statement = ask(kind, call: call, plan: plan, pool: pool)
        calls[call].statement = statement
        drive(pools[pool], .submittedOn(connection, value(statement, until: calls[call].deadline)))
    }

    private func runBody(_ call: Int) {
        calls[call].stage = .body
        run(call, .insert, life.requests[calls[call].request].statement)
        calls[call].effect = calls[call].statement
    }

    private func runCommit(_ call: Int) {
        calls[call].stage = .commit
        run(call, .commit, frame())
    }

    private func rollBack(_ call: Int, _ error: DatabaseError) {
        calls[call].failure = status(of: error, success: 0)
        calls[call].stage = .rollback
        run(call, .rollback, frame())
    }

    /// The plan of BEGIN, COMMIT and ROLLBACK.
    private func frame() -> Life.StatementPlan {
        var plan = Life.StatementPlan()
        plan.cost = dice.percent(90) ? 20 * .microsecond : dice.time(1 * .millisecond...2 * .second)
        return plan
    }

    private func giveBack(_ call: Int, _ status: Int) {
        guard let connection = calls[call].lent else { fatalError("a transaction without a connection") }
        calls[call].lent = nil
        let pool = pools[calls[call].client % pools.count]
        pool.link(connection)?.lentTo = nil
        let isInTransaction = pool.link(connection).map { $0.isInBlock || $0.isBusy } ?? false
        drive(pool, .leaseReturned(connection, isInTransaction: isInTransaction))
        end(call, status)
    }

    func taskEnds(_ call: Int) {
        end(call, 200)
    }

    private func end(_ call: Int, _ status: Int) {
        if calls[call].isOver { return fail(.answeredTwice, "call \(call) ends a second time") }
        calls[call].isOver = true
        let ended = calls[call]
        let isWrite = statements.indices.contains(ended.effect) && ended.stage != .task
        respond(
            clients[ended.client], connection: ended.connection,
            Client.Answer(
                request: ended.request, status: status, call: isWrite ? call : nil, size: size(of: ended, status)))
    }

    private func size(of call: Call, _ status: Int) -> Int {
        let request = life.requests[call.request]
        return request.kind == .list && status == 200 ? request.statement.rows * 150 : 220
    }
}
