// Makes the pages better where there is JavaScript. Without it everything works, by forms and links.
(function () {
    'use strict';

    // What is being fetched, if anything; and what is to be fetched in a moment.
    var busy = null;
    var timer = 0;

    // Openfire gives a new form token with each answer, and takes only the newest: forms get it from wherever it comes.
    function renewTokens(from) {
        var fresh = from.querySelector('input[name="csrf"]');
        if (fresh) {
            document.querySelectorAll('#heartbeat input[name="csrf"]').forEach(function (field) {
                field.value = fresh.value;
            });
        }
    }

    function fetchPage(url) {
        var page = fetch(url, { credentials: 'same-origin' }).then(function (response) {
            return response.text();
        }).then(function (text) {
            var page = new DOMParser().parseFromString(text, 'text/html');
            renewTokens(page);
            return page;
        });
        function done() {
            if (busy === over) {
                busy = null;
            }
        }
        var over = page.then(done, done);
        busy = over;
        return page;
    }

    // A form that is sent while an answer is on its way would have the token before: it waits for the new one.
    function sendInTurn(event) {
        var form = event.target;
        var button = event.submitter;
        window.clearTimeout(timer);
        if (busy && form.requestSubmit) {
            event.preventDefault();
            busy.then(function () {
                form.requestSubmit(button);
            });
        }
    }

    // Settings: what the fields mean is shown as they are filled in.
    function previewSettings(form) {
        var asked = 0;
        function preview() {
            var query = new URLSearchParams(new FormData(form));
            query.delete('token');
            query.delete('csrf');
            query.set('preview', '1');
            var mine = ++asked;
            fetchPage('settings?' + query).then(function (page) {
                var meaning = page.getElementById('meaning');
                if (meaning && mine === asked) {
                    document.getElementById('meaning').replaceChildren.apply(
                        document.getElementById('meaning'), [].slice.call(meaning.childNodes));
                }
            }).catch(function () {
                // The button does the same.
            });
        }
        form.addEventListener('input', function (event) {
            var unit = event.target.name && form.elements[event.target.name + '-unit'];
            if (unit && unit.value === '' && event.target.value !== '') {
                unit.value = 'm';
            }
            window.clearTimeout(timer);
            timer = window.setTimeout(preview, 300);
        });
    }

    document.addEventListener('DOMContentLoaded', function () {
        document.addEventListener('submit', sendInTurn);
        var fields = document.getElementById('fields');
        if (fields) {
            previewSettings(fields);
        }
    });
}());
