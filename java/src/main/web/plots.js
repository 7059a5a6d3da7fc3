// Draws the plots of the overview with uPlot, from overview.json. They are drawn anew with the page only: Openfire makes a new
// form token with each answer of a plugin, so whoever asked again and again would spoil the forms in all other windows.
(function () {
    'use strict';

    // By place of the line. Told apart by their dashes too.
    var COLOURS = ['#1c7c1c', '#c25700', '#4a57c4', '#6b6b6b', '#b00020', '#00707a', '#8a1c8a'];
    var DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [5, 2], [1, 2], [12, 4]];
    var HEIGHT = 200;

    function formats(data) {
        var zone = data.zone;
        try {
            new Intl.DateTimeFormat('en', { timeZone: zone });
        } catch (e) {
            zone = undefined; // one that the browser does not know
        }
        function format(options) {
            options.timeZone = zone;
            options.hourCycle = 'h23';
            var made = new Intl.DateTimeFormat(data.language, options);
            return function (seconds) {
                return made.format(new Date(seconds * 1000));
            };
        }
        function number(digits) {
            return new Intl.NumberFormat(data.language, { maximumFractionDigits: digits }).format;
        }
        var fine = number(2);
        var small = number(1);
        var large = number(0);
        return {
            zone: zone,
            clock: format({ hour: '2-digit', minute: '2-digit' }),
            day: format({ month: 'numeric', day: 'numeric' }),
            full: data.step_s < 60
                ? format({ hour: '2-digit', minute: '2-digit', second: '2-digit' })
                : format({ month: 'numeric', day: 'numeric', hour: '2-digit', minute: '2-digit' }),
            scale: fine,
            value: function (value) {
                if (value === null || value === undefined) {
                    return '–';
                }
                return Math.abs(value) < 10 ? small(value) : large(value);
            }
        };
    }

    function timesOf(data) {
        var times = [];
        for (var i = 0; i < data.count; i++) {
            times.push(data.from_s + i * data.step_s);
        }
        return times;
    }

    function element(name, className, text) {
        var made = document.createElement(name);
        if (className) {
            made.className = className;
        }
        if (text !== undefined) {
            made.textContent = text;
        }
        return made;
    }

    // One plot: a canvas, and a button for each line that shows its value and takes the line away.
    function Plot(place, spec, data) {
        this.place = place;
        this.hidden = {};
        this.at = null;
        this.take(spec, data);
        this.canvas = element('div', 'hb-canvas');
        this.canvas.tabIndex = 0;
        this.canvas.setAttribute('role', 'img');
        this.none = element('p', 'hb-muted hb-none');
        this.legend = element('div', 'hb-legend');
        this.time = element('span', 'hb-muted hb-time');
        this.said = element('p', 'hb-unseen');
        this.said.setAttribute('aria-live', 'polite');
        this.buttons = spec.lines.map(this.button, this);
        this.legend.append(this.time);
        place.replaceChildren(this.none, this.canvas, this.legend, this.said);
        this.chart = new uPlot(this.options(), this.values(), this.canvas);
        this.canvas.addEventListener('keydown', this.key.bind(this));
        this.tell();
        new ResizeObserver(this.fit.bind(this)).observe(place);
    }

    Plot.prototype.take = function (spec, data) {
        this.spec = spec;
        this.data = data;
        this.format = formats(data);
        this.times = timesOf(data);
    };

    Plot.prototype.button = function (line, i) {
        var button = element('button');
        var swatch = element('span', 'hb-swatch');
        var value = element('b');
        swatch.style.background = COLOURS[i % COLOURS.length];
        button.type = 'button';
        button.setAttribute('aria-pressed', 'true');
        button.append(swatch, line.name + ' ', value);
        button.addEventListener('click', this.toggle.bind(this, line.key, button));
        this.legend.append(button);
        return value;
    };

    Plot.prototype.toggle = function (key, button) {
        this.hidden[key] = !this.hidden[key];
        button.setAttribute('aria-pressed', String(!this.hidden[key]));
        this.chart.setData(this.values());
    };

    // Of bars each line is drawn behind those before it, as high as all of them together: the last one first.
    Plot.prototype.order = function () {
        var order = this.spec.lines.map(function (line, i) {
            return i;
        });
        return this.spec.bars ? order.reverse() : order;
    };

    Plot.prototype.values = function () {
        var plot = this;
        var sums = plot.times.map(function () {
            return 0;
        });
        var shown = plot.spec.lines.map(function (line) {
            return line.values.map(function (value, at) {
                if (value === null || plot.hidden[line.key]) {
                    return null;
                }
                sums[at] += value;
                return plot.spec.bars ? (value === 0 ? null : sums[at]) : value;
            });
        });
        return [plot.times].concat(plot.order().map(function (i) {
            return shown[i];
        }));
    };

    Plot.prototype.options = function () {
        var plot = this;
        var font = '11px arial, helvetica, sans-serif';
        return {
            width: plot.width(),
            height: HEIGHT,
            legend: { show: false },
            cursor: { drag: { x: false, y: false }, sync: { key: 'heartbeat' }, y: false },
            hooks: {
                setCursor: [function (chart) {
                    plot.at = chart.cursor.left < 0 ? null : chart.cursor.idx;
                    plot.tellValues();
                }]
            },
            tzDate: function (seconds) {
                var date = new Date(seconds * 1000);
                return plot.format.zone ? uPlot.tzDate(date, plot.format.zone) : date;
            },
            scales: {
                x: {
                    range: function () {
                        return [plot.data.from_s, plot.data.from_s + plot.data.count * plot.data.step_s];
                    }
                },
                y: {
                    range: function (chart, least, most) {
                        return [0, Math.max(plot.spec.whole ? 4 : 0, most > 0 ? most * 1.1 : 1)];
                    }
                }
            },
            axes: [
                {
                    font: font,
                    stroke: '#333',
                    grid: { stroke: '#eee' },
                    space: 70,
                    values: function (chart, ticks, axis, space, step) {
                        return ticks.map(step >= 86400 ? plot.format.day : function (seconds) {
                            var clock = plot.format.clock(seconds);
                            return clock === '00:00' ? plot.format.day(seconds) : clock;
                        });
                    }
                },
                {
                    font: font,
                    stroke: '#333',
                    grid: { stroke: '#eee' },
                    size: 56,
                    values: function (chart, ticks) {
                        return ticks.map(function (tick) {
                            return plot.format.scale(tick);
                        });
                    }
                }
            ],
            series: [{}].concat(plot.order().map(function (i) {
                var colour = COLOURS[i % COLOURS.length];
                return plot.spec.bars
                    ? {
                        stroke: colour,
                        fill: colour,
                        width: 0,
                        points: { show: false },
                        paths: uPlot.paths.bars({ size: [0.9, 24, 2], align: 1 })
                    }
                    : { stroke: colour, width: 1.5, dash: DASHES[i % DASHES.length], points: { size: 4 } };
            }))
        };
    };

    Plot.prototype.width = function () {
        return Math.max(120, this.place.clientWidth - 24);
    };

    Plot.prototype.fit = function () {
        if (this.chart.width !== this.width()) {
            this.chart.setSize({ width: this.width(), height: HEIGHT });
        }
    };

    // The last step of which something is known; -1: there is none.
    Plot.prototype.last = function () {
        for (var at = this.times.length - 1; at >= 0; at--) {
            for (var i = 0; i < this.spec.lines.length; i++) {
                if (this.spec.lines[i].values[at] !== null) {
                    return at;
                }
            }
        }
        return -1;
    };

    Plot.prototype.isEmpty = function () {
        var bars = this.spec.bars;
        return this.spec.lines.every(function (line) {
            return line.values.every(function (value) {
                return value === null || (bars && value === 0);
            });
        });
    };

    Plot.prototype.tell = function () {
        var empty = this.isEmpty();
        this.none.textContent = this.spec.none;
        this.none.hidden = !empty;
        this.canvas.setAttribute('aria-label', this.spec.title + '. ' + (empty ? this.spec.none : this.words(this.last())));
        this.tellValues();
    };

    Plot.prototype.words = function (at) {
        var format = this.format;
        return format.full(this.times[at]) + ': ' + this.spec.lines.map(function (line) {
            return line.name + ' ' + format.value(line.values[at]);
        }).join(', ');
    };

    // Beside each line stands its value where the pointer is, else the last one.
    Plot.prototype.tellValues = function () {
        var at = this.at === null || this.at === undefined ? this.last() : this.at;
        this.time.textContent = at < 0 ? '' : this.format.full(this.times[at]);
        this.buttons.forEach(function (value, i) {
            value.textContent = at < 0 ? '' : this.format.value(this.spec.lines[i].values[at]);
        }, this);
    };

    Plot.prototype.key = function (event) {
        var ends = { Home: 0, End: this.times.length - 1 };
        var steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: 10, PageDown: -10 };
        var from = this.at === null || this.at === undefined ? Math.max(0, this.last()) : this.at;
        var to = event.key in ends ? ends[event.key] : from + (steps[event.key] || 0);
        if (to === from || !(event.key in ends || event.key in steps)) {
            return;
        }
        to = Math.max(0, Math.min(this.times.length - 1, to));
        event.preventDefault();
        this.chart.setCursor({ left: this.chart.valToPos(this.times[to], 'x'), top: 10 });
        this.said.textContent = this.words(to);
    };

    function load(span) {
        return fetch('overview.json?span=' + encodeURIComponent(span), { credentials: 'same-origin' })
            .then(function (response) {
                if (!response.ok) {
                    throw new Error(String(response.status));
                }
                return response.json();
            });
    }

    function start(place) {
        place.hidden = false;
        document.getElementById('figures').open = false;
        load(place.dataset.span).then(function (data) {
            data.plots.forEach(function (spec) {
                var there = document.getElementById('plot-' + spec.id);
                if (there) {
                    new Plot(there, spec, data);
                }
            });
        }).catch(function () {
            place.hidden = true;
            document.getElementById('figures').open = true;
            document.getElementById('plots-failed').hidden = false;
        });
    }

    document.addEventListener('DOMContentLoaded', function () {
        var place = document.getElementById('plots');
        if (place) {
            start(place);
        }
    });
}());
