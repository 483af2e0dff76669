extension Life {
    /// The schedule's parameters, for the reader of a replay.
    var description: String {
        var lines = [
            "\(pools) pools of \(minimum) to \(maximum) connections\(isPooled ? ", behind a pooler" : "")\(isPrepared ? "" : ", not prepared")",
            "  ms: request \(requestTimeout / .millisecond), statement \(statementTimeout / .millisecond),"
                + " wait \(waitTimeout / .millisecond), connect \(connectTimeout / .millisecond), head \(headerTimeout / .millisecond),"
                + " body \(bodyTimeout / .millisecond), write \(writeTimeout / .millisecond), idle \(keepAliveTimeout / .millisecond)",
            "  drain at \(drainStart / .millisecond), \(drainDelay / .millisecond) and \(drainTimeout / .millisecond)",
        ]
        if connectionLimit < 1000 { lines.append("  at most \(connectionLimit) connections of clients") }
        if acceptQueueLength < 128 || acceptBatch < 64 {
            lines.append("  accept queues of \(acceptQueueLength), taken in \(acceptBatch) at a time")
        }
        if hidesWarnings { lines.append("  the server hides warnings") }
        if memoryShortage > 0 { lines.append("  memory is short \(memoryShortage) times in a hundred") }
        for (index, client) in clients.enumerated() {
            lines.append(
                "client \(index): from \(client.start / .microsecond) µs, \(client.farewell), window \(client.window)")
            for number in client.first..<client.first + client.count {
                let request = requests[number]
                lines.append(
                    "  \(number): \(request.kind), body \(request.body)\(request.isPipelined ? ", pipelined" : "")"
                        + "\(request.pieces > 1 ? ", in \(request.pieces) pieces" : "")\(request.expectsContinue ? ", expects 100" : "")"
                        + ", cost \(request.statement.cost / .microsecond) µs, \(request.statement.verdict)")
            }
        }
        for incident in incidents {
            lines.append(
                "\(incident.fault) at \(incident.moment / .microsecond) µs for \(incident.duration / .microsecond) µs")
        }
        return lines.joined(separator: "\n")
    }
}
