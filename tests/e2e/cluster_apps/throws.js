// A broken release: it throws at the start.
'use strict';
throw new Error('no database password in this release');
