import Telemetry
import Testing

struct ExpositionTests {
    private let registry = Registry()

    @Test func `sums cells of the same labels and sorts everything`() {
        let first = registry.counter("b_total", help: "B.", labels: [("route", "/"), ("method", "GET")])
        let second = registry.counter("b_total", help: "B.", labels: [("method", "GET"), ("route", "/")])
        _ = registry.counter("b_total", help: "B.", labels: [("method", "DELETE"), ("route", "/")])
        let gauges = (registry.gauge("a", help: "A."), registry.gauge("a", help: "A."))
        first.increment()
        second.increment(by: 4)
        gauges.0.set(7)
        gauges.1.add(-9)
        expect(
            .text,
            """
            # HELP a A.
            # TYPE a gauge
            a -2
            # HELP b_total B.
            # TYPE b_total counter
            b_total{method="DELETE",route="/"} 0
            b_total{method="GET",route="/"} 5

            """)
    }

    @Test func `writes a histogram whose last bucket is its count`() {
        let buckets = Histogram.Buckets(nanoseconds: [500_000, 5_000_000, 1_000_000_000])
        let cells = (0..<2).map { _ in
            registry.histogram("wait_seconds", help: "Wait.", labels: [("pool", "main")], buckets: buckets)
        }
        for nanoseconds: UInt64 in [0, 500_000, 500_001, 1_000_000_000] {
            cells[0].observe(nanoseconds: nanoseconds)
        }
        cells[1].observe(nanoseconds: 30_000_000_000)
        expect(
            .text,
            """
            # HELP wait_seconds Wait.
            # TYPE wait_seconds histogram
            wait_seconds_bucket{pool="main",le="0.0005"} 2
            wait_seconds_bucket{pool="main",le="0.005"} 3
            wait_seconds_bucket{pool="main",le="1.0"} 4
            wait_seconds_bucket{pool="main",le="+Inf"} 5
            wait_seconds_sum{pool="main"} 31.001000001
            wait_seconds_count{pool="main"} 5

            """)
    }

    @Test func `has the latency bounds that the dashboards use`() {
        _ = registry.histogram("a_seconds", help: "A.")
        let text = String(decoding: Exposition.render(registry, as: .text), as: UTF8.self)
        let bounds = text.split(separator: "\n").compactMap { $0.split(separator: "\"").dropFirst().first }
        #expect(
            bounds == [
                "0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1.0", "2.5",
                "5.0", "10.0", "+Inf",
            ])
        #expect(text.hasSuffix("a_seconds_sum 0.0\na_seconds_count 0\n"))
    }

    @Test func `writes OpenMetrics`() {
        registry.counter("cpu_seconds_total", help: "CPU, \"user\".").increment()
        registry.gauge("heap_bytes", help: "Heap.").set(1)
        let buckets = Histogram.Buckets(nanoseconds: [1_000_000])
        registry.histogram("wait_seconds", help: "Wait.", buckets: buckets).observe(nanoseconds: 1)
        expect(
            .openMetrics,
            #"""
            # HELP cpu_seconds CPU, \"user\".
            # TYPE cpu_seconds counter
            # UNIT cpu_seconds seconds
            cpu_seconds_total 1
            # HELP heap_bytes Heap.
            # TYPE heap_bytes gauge
            # UNIT heap_bytes bytes
            heap_bytes 1
            # HELP wait_seconds Wait.
            # TYPE wait_seconds histogram
            # UNIT wait_seconds seconds
            wait_seconds_bucket{le="0.001"} 1
            wait_seconds_bucket{le="+Inf"} 1
            wait_seconds_sum 0.000000001
            wait_seconds_count 1
            # EOF

            """#)
    }

    @Test func `escapes label values and help`() {
        _ = registry.gauge("a", help: "back\\slash\n\"quoted\"", labels: [("path", "back\\slash\n\"quoted\" €")])
        expect(
            .text,
            #"""
            # HELP a back\\slash\n"quoted"
            # TYPE a gauge
            a{path="back\\slash\n\"quoted\" €"} 0

            """#)
    }

    @Test func `calls its closures at each reading`() {
        let source = registry.counter("source_total", help: "Source.")
        registry.collect("seen", .gauge, help: "Seen.") { Double(source.value) / 4 }
        registry.collect("states", .gauge, help: "States.") {
            [
                Registry.Sample(.infinity, labels: [("state", "open")]),
                Registry.Sample(-3, labels: [("state", "idle")]),
                Registry.Sample(.nan, labels: [("state", "lost")]),
            ]
        }
        registry.collect("none", .gauge, help: "None.") { nil }
        source.increment()
        expect(
            .text,
            """
            # HELP none None.
            # TYPE none gauge
            # HELP seen Seen.
            # TYPE seen gauge
            seen 0.25
            # HELP source_total Source.
            # TYPE source_total counter
            source_total 1
            # HELP states States.
            # TYPE states gauge
            states{state="idle"} -3
            states{state="lost"} NaN
            states{state="open"} +Inf

            """)
    }

    @Test func `loses no count when threads share a cell`() async {
        let counter = registry.counter("a_total", help: "A.")
        let histogram = registry.histogram("b_seconds", help: "B.")
        await withTaskGroup { group in
            for _ in 0..<4 {
                group.addTask {
                    for number in 0..<10_000 as Range<UInt64> {
                        counter.increment()
                        histogram.observe(nanoseconds: number)
                    }
                }
            }
        }
        let text = String(decoding: Exposition.render(registry, as: .text), as: UTF8.self)
        #expect(counter.value == 40_000)
        #expect(text.contains("b_seconds_bucket{le=\"+Inf\"} 40000\nb_seconds_sum 0.19998\nb_seconds_count 40000\n"))
    }

    @Test func `reports the process metrics`() {
        ProcessMetrics.register(in: registry)
        let text = String(decoding: Exposition.render(registry, as: .text), as: UTF8.self)
        var values: [Substring: Double] = [:]
        for sample in text.split(separator: "\n") where !sample.hasPrefix("#") {
            let parts = sample.split(separator: " ")
            values[parts[0]] = Double(parts[1])
        }
        #expect(values.count == 7)
        #expect(values["process_cpu_seconds_total"].map { $0 >= 0 } == true)
        #expect(values["process_resident_memory_bytes"].map { $0 > 1_000_000 } == true)
        #expect(values["process_virtual_memory_bytes"].map { $0 > 1_000_000 } == true)
        #expect(values["process_threads"].map { $0 >= 1 } == true)
        #expect(values["process_open_fds"].map { $0 >= 3 } == true)
        #expect(values["process_max_fds"].map { $0 >= 3 } == true)
        #expect(values["process_start_time_seconds"].map { $0 > 1_700_000_000 } == true)
    }

    @Test func `traps when a name is registered again with another type`() async {
        await #expect(processExitsWith: .failure) {
            let registry = Registry()
            _ = registry.gauge("a", help: "A.")
            _ = registry.histogram("a", help: "A.")
        }
        await #expect(processExitsWith: .failure) {
            let registry = Registry()
            _ = registry.gauge("a", help: "A.")
            _ = registry.gauge("a", help: "B.")
        }
    }

    @Test func `traps on names that a scraper refuses`() async {
        await #expect(processExitsWith: .failure) { _ = Registry().gauge("a-b", help: "A.") }
        await #expect(processExitsWith: .failure) { _ = Registry().counter("a", help: "A.") }
        await #expect(processExitsWith: .failure) { _ = Registry().gauge("a", help: "A.", labels: [("1", "")]) }
        await #expect(processExitsWith: .failure) { _ = Registry().histogram("a", help: "A.", labels: [("le", "")]) }
    }

    private func expect(_ format: Exposition.Format, _ text: String, at location: SourceLocation = #_sourceLocation) {
        let rendered = String(decoding: Exposition.render(registry, as: format), as: UTF8.self)
        #expect(rendered == text, sourceLocation: location)
    }
}
